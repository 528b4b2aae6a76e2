// Publication: hours are replaced in the store, and once it shows them the catalogue says from which run
// they are, in one transaction with the record of what changed. A crash in between leaves hours that the
// store shows and the catalogue does not know: the next start puts the published ones back.
import { persist } from '#platform/catalogue/persist.ts'
import type { Catalogue } from '#platform/catalogue/port.ts'
import type { Lease } from '#platform/lease.ts'
import type { HourLoad, OlapStore } from '#platform/olap/port.ts'
import { until } from '#platform/wait.ts'
import type { Change, HourPair } from './compare-worker.ts'
import { recordRestatements } from './restatements.ts'
import { type Run, type RunHour, recordPublished } from './runs.ts'

const loadTimeoutMs = 600_000
/** Hours that are replaced and recorded together. */
const hoursAtOnce = 24

export interface PublicationParts {
  readonly catalogue: Catalogue
  readonly olap: OlapStore
  readonly now: () => number
  readonly signal?: AbortSignal
  /** Absent: nobody else can publish. */
  readonly lease?: Pick<Lease, 'assertHeld' | 'guard'>
  compare(hours: readonly HourPair[], by: 'advertiser' | 'ad'): Promise<Change[]>
}

/** Puts loads into the store and waits until it shows them. */
async function load(parts: PublicationParts, runId: string, loads: readonly HourLoad[]) {
  const { olap, lease } = parts
  lease?.assertHeld()
  await olap.replaceHours(loads)
  await until(async () => (await olap.loadedHours(loads)).length === loads.length, {
    timeoutMs: loadTimeoutMs,
    everyMs: 50,
    what: `the store shows the hours of run ${runId}`,
  })
}

/**
 * Publishes what a run has staged.
 * @param published - the hours as they are published now; those of this run are done already
 * @param boundary - below it numbers are final, and a change of one is recorded; ms
 */
export async function publishHours(
  parts: PublicationParts,
  run: Run,
  staged: readonly RunHour[],
  published: ReadonlyMap<number, RunHour>,
  boundary: number,
): Promise<void> {
  const { catalogue, lease, now, signal, compare } = parts
  const open = staged.filter(({ hour }) => published.get(hour)?.runId !== run.runId)
  for (let first = 0; first < open.length; first += hoursAtOnce) {
    const some = open.slice(first, first + hoursAtOnce)
    const pairs = some.flatMap(({ hour, files }) => {
      const before = hour < boundary ? published.get(hour)?.files : undefined
      return before && before.length + files.length > 0 ? [{ hour, before, after: files }] : []
    })
    const changes = pairs.length > 0 ? await compare(pairs, 'ad') : []
    const ruleSets = new Map(some.map(({ hour, ruleSet }) => [hour, ruleSet]))
    await load(
      parts,
      run.runId,
      some.map(({ hour, files }) => ({ hour, run: run.runId, files })),
    )
    const publishedAt = now()
    const restated = {
      ...{ runId: run.runId, reason: run.reason, publishedAt },
      ruleSetOf: (hour: number) => ruleSets.get(hour) ?? 0,
    }
    // The store shows them already: not to say so would leave it and the catalogue at odds.
    await persist(
      () =>
        catalogue.transaction(async (tx) => {
          await lease?.guard(tx)
          await recordPublished(tx, some, published, publishedAt)
          await recordRestatements(tx, changes, restated)
        }),
      signal,
    )
  }
}
