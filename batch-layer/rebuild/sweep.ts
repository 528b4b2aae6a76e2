// Staged output is kept for the last runs of each hour, so that they can be rolled back to; older output
// is removed. A rollback's hours name the files of the run it went back to: those stay.
import type { Queryable } from '#platform/catalogue/port.ts'
import type { ObjectStore } from '#platform/object-store/port.ts'
import { runPrefix, stagedFolder } from '#schemas/paths.ts'

export interface SweepParts {
  readonly catalogue: Queryable
  readonly objects: ObjectStore
  readonly now: () => number
  /** Runs of an hour whose output stays, the published one included. */
  readonly kept: number
}

interface Row {
  run_id: string
  files: string
}

const filesOf = (row: Row) => JSON.parse(row.files) as string[]

async function removeFolders(objects: ObjectStore, folders: Iterable<string>): Promise<void> {
  for (const folder of folders) {
    for await (const { key } of objects.list(folder)) await objects.remove(key)
  }
}

/** Removes what is older than the kept runs of these hours. Repeating it changes nothing. */
export async function sweepStaged(parts: SweepParts, hours: readonly number[]): Promise<void> {
  const { catalogue, objects, now, kept } = parts
  for (const hour of hours) {
    const rows = await catalogue.query<Row>(
      `SELECT run_id, files FROM run_hours
       WHERE hour = $1 AND published_at IS NOT NULL AND swept_at IS NULL
       ORDER BY published_at DESC, run_id`,
      [hour],
    )
    const used = new Set(rows.slice(0, kept).flatMap(filesOf).map(stagedFolder))
    for (const row of rows.slice(kept)) {
      const old = new Set(filesOf(row).map(stagedFolder))
      await removeFolders(objects, old.difference(used))
      await markSwept(catalogue, row.run_id, hour, now())
    }
  }
}

const markSwept = (catalogue: Queryable, runId: string, hour: number, at: number) =>
  catalogue.query('UPDATE run_hours SET swept_at = $3 WHERE run_id = $1 AND hour = $2', [
    ...[runId, hour, at],
  ])

/** Removes all that a run has staged: a rehearsal leaves nothing but its result. */
export async function sweepRun(parts: SweepParts, runId: string): Promise<void> {
  const { catalogue, objects, now } = parts
  await removeFolders(objects, [runPrefix(runId)])
  await catalogue.query('UPDATE run_hours SET swept_at = $2 WHERE run_id = $1', [runId, now()])
}
