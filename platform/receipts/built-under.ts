// How the published verdict of a click came about: which run judged it, under which rule set, from which
// version of the archive. A rollback shows what an older run staged; a backfill of one advertiser
// leaves the others as an older run had judged them.
import { runOfFile } from '#schemas/paths.ts'
import type { RunPlan } from '#schemas/runs.ts'
import type { Queryable } from '../catalogue/port.ts'

/** Backfills of one advertiser on top of each other that are looked through. */
const layersMax = 20

export interface Published {
  /** The run that the hour's numbers are shown from. */
  readonly runId: string
  readonly publishedAt: number
  readonly reason: string
  /** Object keys of its aggregates; none: it has nothing in the hour. */
  readonly files: readonly string[]
}

export interface BuiltUnder {
  /** The run that judged. */
  readonly runId: string
  readonly ruleSet: number
  readonly archiveVersion: number
}

/** What is published of an hour; undefined: nothing yet. */
export async function publishedHour(
  catalogue: Queryable,
  hour: number,
): Promise<Published | undefined> {
  const [row] = await catalogue.query<{
    run_id: string
    published_at: number
    reason: string
    files: string
  }>(
    `SELECT p.run_id AS run_id, p.published_at AS published_at, r.reason AS reason, h.files AS files
     FROM published_hours p JOIN run_hours h ON h.run_id = p.run_id AND h.hour = p.hour
     JOIN runs r ON r.run_id = p.run_id WHERE p.hour = $1`,
    [hour],
  )
  return (
    row && {
      ...{ runId: row.run_id, reason: row.reason, files: JSON.parse(row.files) },
      publishedAt: Number(row.published_at),
    }
  )
}

interface LayerRow {
  rule_set: number
  archive_version: number
  replaced_run: string
  plan: string
}

async function layerOf(catalogue: Queryable, runId: string, hour: number) {
  const [row] = await catalogue.query<LayerRow & Record<string, unknown>>(
    `SELECT h.rule_set AS rule_set, h.archive_version AS archive_version,
       h.replaced_run AS replaced_run, r.plan AS plan
     FROM run_hours h JOIN runs r ON r.run_id = h.run_id WHERE h.run_id = $1 AND h.hour = $2`,
    [runId, hour],
  )
  return row
}

/** What an advertiser's clicks of a published hour were judged under. */
export async function builtUnder(
  catalogue: Queryable,
  { runId, files }: Published,
  hour: number,
  advertiserId: string,
): Promise<BuiltUnder | undefined> {
  let next = runOfFile(files[0] ?? '') || runId
  for (let i = 0; i < layersMax && next !== ''; i++) {
    const layer = await layerOf(catalogue, next, hour)
    if (!layer) return undefined
    const plan = JSON.parse(layer.plan) as RunPlan
    const own = plan.hours.find((planned) => planned.hour === hour)?.ruleSet
    if (plan.advertiserId === undefined) {
      const { rule_set, archive_version } = layer
      return {
        ...{ runId: next, ruleSet: Number(rule_set), archiveVersion: Number(archive_version) },
      }
    }
    if (plan.advertiserId === advertiserId && own !== undefined) {
      const version = plan.archiveVersion ?? Number(layer.archive_version)
      return { runId: next, ruleSet: own, archiveVersion: version }
    }
    next = layer.replaced_run
  }
  return undefined
}
