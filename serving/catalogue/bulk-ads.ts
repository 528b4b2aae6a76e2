// Ads by the line, as they come in: a thousand are stored, then the next are read, so memory does not
// grow with the file and the sender is slowed down to what the catalogue takes. Storing a line again
// changes nothing: what broke off is sent again from anywhere before the break.
import { createLineSplitter, type Line, lineBytesMax } from '#core/lines.ts'
import { parseAdLine, type RejectedAd, upsertAds } from '#platform/catalogue/ads.ts'
import type { Catalogue } from '#platform/catalogue/port.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { limits } from '#schemas/limits.ts'

const rowsPerBatch = 1_000
const faultsShownMax = 1_000

export interface BulkResult {
  /** Lines that were looked at, empty ones too: all before that are stored, or among the faults. */
  lines: number
  upserted: number
  rejected: number
  /** The first thousand. */
  readonly faults: RejectedAd[]
}

const emptyResult = (): BulkResult => ({ lines: 0, upserted: 0, rejected: 0, faults: [] })

function tooMuch(what: string, { lines }: BulkResult): ClickledgerError {
  return new ClickledgerError(
    'payload-too-large',
    `At most ${what} in one request. Lines 1 to ${lines} are stored: send the rest in another one.`,
  )
}

const rowOf = ({ number, text, tooLong }: Line) => ({
  line: number,
  value: tooLong
    ? new ClickledgerError('bad-request', `the line is longer than ${lineBytesMax} bytes`)
    : parseAdLine(text),
})

/**
 * Stores ads from newline-delimited JSON.
 * @param report - told of each batch that is stored
 * @throws ClickledgerError `payload-too-large`, and what the catalogue throws; what was stored stays
 */
export async function storeAds(
  { catalogue, now }: { readonly catalogue: Catalogue; readonly now: () => number },
  body: AsyncIterable<Buffer>,
  report: (result: BulkResult) => void,
): Promise<BulkResult> {
  const result = emptyResult()
  const splitter = createLineSplitter()
  let waiting: Line[] = []
  let bytes = 0

  const store = async () => {
    const last = waiting.at(-1)?.number ?? result.lines
    const rows = waiting.filter(({ text }) => text.trim() !== '').map(rowOf)
    waiting = []
    const { upserted, rejected } = await upsertAds(catalogue, now(), rows)
    result.lines = last
    result.upserted += upserted
    result.rejected += rejected.length
    result.faults.push(...rejected.slice(0, faultsShownMax - result.faults.length))
    report(result)
  }
  const take = async (lines: readonly Line[]) => {
    for (const line of lines) {
      if (line.number > limits.bulkLinesMax) {
        await store()
        throw tooMuch(`${limits.bulkLinesMax} lines`, result)
      }
      waiting.push(line)
      if (waiting.length >= rowsPerBatch) await store()
    }
  }
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > limits.bulkBytesMax) throw tooMuch(`${limits.bulkBytesMax} bytes`, result)
    await take(splitter.split(chunk))
  }
  await take(splitter.rest())
  await store()
  return result
}
