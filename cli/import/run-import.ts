// The import: rows in, clicks to ingest, rejects to their file. Batches are sent one after the other, in
// file order, while the next one is being read: the order of the file is the order in the log, so the
// speed layer sees no more disorder than the file has.

import type { Api } from '../api.ts'
import type { Progress } from '../progress.ts'
import { createEventIds } from './event-ids.ts'
import { createKnownAds, type KnownAds } from './known-ads.ts'
import type { Mapping } from './mapping.ts'
import type { InputFile } from './read-lines.ts'
import type { FileRow } from './read-rows.ts'
import { readRows } from './read-rows.ts'
import { createRejects, type RejectedRow, type Rejects } from './rejects.ts'
import { type ClickSender, createSender, fitsBatch, type SentClick } from './send.ts'

export interface ImportOptions {
  readonly input: InputFile
  /** Undefined: JSON lines in click form. */
  readonly mapping: Mapping | undefined
  readonly api: Api
  readonly ingestUrl: string
  readonly key: string
  readonly rejectsPath: string
  readonly createAds: boolean
  /** Owner of the ads that are made. */
  readonly advertiserId?: string | undefined
  readonly progress: Progress
  readonly signal?: AbortSignal | undefined
}

export interface ImportSummary {
  readonly read: number
  readonly accepted: number
  readonly rejected: number
  /** Rejected rows by reason. */
  readonly reasons: Readonly<Record<string, number>>
  readonly ads_created: number
  /** Null where nothing was rejected. */
  readonly rejects_file: string | null
}

interface Pending extends SentClick {
  readonly row: FileRow
}

const rejectedRow = (row: FileRow, { reason, detail }: { reason: string; detail: string }) => ({
  line: row.line,
  reason,
  detail,
  row: row.text,
})

/** Gathers clicks into batches that ingest takes. */
async function* batchesOf(
  blocks: AsyncIterable<FileRow[]>,
  take: (row: FileRow) => Pending | RejectedRow,
  rejects: Rejects,
): AsyncGenerator<Pending[]> {
  let batch: Pending[] = []
  let bytes = 0
  for await (const rows of blocks) {
    const refused: RejectedRow[] = []
    for (const row of rows) {
      const taken = take(row)
      if ('reason' in taken) {
        refused.push(taken)
        continue
      }
      const more = Buffer.byteLength(taken.json)
      if (!fitsBatch(batch.length, bytes, more)) {
        yield batch
        batch = []
        bytes = 0
      }
      batch.push(taken)
      bytes += more + 1
    }
    await rejects.add(refused)
  }
  if (batch.length > 0) yield batch
}

/** Makes the ads of a batch, sends it, and files what was refused. @returns clicks accepted */
async function deliver(
  batch: readonly Pending[],
  sender: ClickSender,
  ads: KnownAds | undefined,
  rejects: Rejects,
): Promise<number> {
  const refusedAds = await ads?.createMissing()
  const refused: RejectedRow[] = []
  const rest = batch.filter(({ click, row }) => {
    const reason = refusedAds?.get(click.ad_id)
    if (reason) refused.push(rejectedRow(row, reason))
    return !reason
  })
  for (const refusal of await sender.send(rest)) {
    const sent = rest[refusal.index]
    if (sent) refused.push(rejectedRow(sent.row, refusal))
  }
  await rejects.add(refused)
  return batch.length - refused.length
}

interface Counts {
  read: number
  accepted: number
  bytesRead: number
}

/** Rows -> clicks to send or rows to file away, in file order: ids count equal rows. */
function createTake(ads: KnownAds | undefined, counts: Counts) {
  const giveId = createEventIds()
  return (row: FileRow): Pending | RejectedRow => {
    counts.read += 1
    const { result } = row
    if (result.kind === 'reject') return rejectedRow(row, result)
    const { click, owner } = result
    giveId(click)
    const refusal = ads?.check({ adId: click.ad_id, owner })
    return refusal ? rejectedRow(row, refusal) : { click, row, json: JSON.stringify(click) }
  }
}

/** Works through the batches: one is under way while the next is being read. */
async function pump(
  batches: AsyncIterable<Pending[]>,
  work: (batch: readonly Pending[]) => Promise<void>,
): Promise<void> {
  let running: Promise<void> = Promise.resolve()
  try {
    for await (const batch of batches) {
      await running
      running = work(batch)
      running.catch(() => {}) // awaited above or below; until then it must not end the process
    }
    await running
  } finally {
    await running.catch(() => {}) // nothing may be under way when the files are closed
  }
}

/**
 * Imports one file.
 * @returns counts; `read` = `accepted` + `rejected`
 * @throws ClickledgerError where ingest or serving gives no final answer: then it is safe to run again
 */
export async function runImport(options: ImportOptions): Promise<ImportSummary> {
  const { input, mapping, api, ingestUrl, key, progress, signal } = options
  const ads = options.createAds ? await createKnownAds(api, options.advertiserId) : undefined
  const rejects = createRejects(options.rejectsPath)
  // An ad made a moment ago may be unknown to ingest for the seconds that it remembers misses.
  const mayPass = (reason: string, click: { ad_id: string }) =>
    reason === 'unknown-ad' && ads?.wasCreated(click.ad_id) === true
  const sender = createSender({ ingestUrl, key, signal, mayPass })
  const counts: Counts = { read: 0, accepted: 0, bytesRead: 0 }
  const rows = readRows(input, mapping, (bytes) => {
    counts.bytesRead += bytes
  })
  try {
    await pump(batchesOf(rows, createTake(ads, counts), rejects), async (batch) => {
      signal?.throwIfAborted()
      counts.accepted += await deliver(batch, sender, ads, rejects)
      const more = { accepted: counts.accepted, rejected: rejects.total }
      progress.update({ done: counts.bytesRead, total: input.bytes, items: counts.read, more })
    })
  } finally {
    progress.finish()
    await sender.close()
    await rejects.close()
  }
  return {
    read: counts.read,
    accepted: counts.accepted,
    rejected: rejects.total,
    reasons: rejects.counts,
    ads_created: ads?.created ?? 0,
    rejects_file: rejects.path ?? null,
  }
}
