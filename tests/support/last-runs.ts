// What batch was doing, for the message of a test that waited for it in vain.
import type { Settings } from '#platform/config.ts'
import { openCatalogue } from '#platform/stack.ts'

const shownMax = 5

/** The newest runs, as text. */
export async function lastRuns(settings: Settings): Promise<string> {
  const catalogue = await openCatalogue(settings)
  try {
    const runs = await catalogue.query<{ started_at: number }>(
      `SELECT run_id, kind, status, started_at, result FROM runs
       ORDER BY started_at DESC LIMIT ${shownMax}`,
    )
    return JSON.stringify(
      runs.map((run) => ({ ...run, started_at: new Date(Number(run.started_at)).toISOString() })),
    )
  } finally {
    await catalogue.close()
  }
}
