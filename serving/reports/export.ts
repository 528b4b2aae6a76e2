// An answer of any length as a stream: pages of the store, pulled through one at a time as the client takes
// them, all at one boundary and from the same runs. Where that cannot be kept up it breaks off: a file
// that ended early must not look like a whole one.
import { Readable } from 'node:stream'
import { positionOf, totalOrder } from '#core/report-order.ts'
import type { ReportRow } from '#core/report-query.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { limits } from '#schemas/limits.ts'
import { type AnswerRow, createRowMaker } from './answer.ts'
import type { ReportRequest } from './params.ts'
import { askStore, isSteady, previousOf, queryOf, runsFingerprint } from './report.ts'
import { endOf, lookAgain, type ReportDeps, readPublication, type State } from './state.ts'
import { fillZeros } from './zero-fill.ts'

/** Rows that cross from the store's thread at once hold up everybody else in this one. */
const pageRows = 20_000
/** A client that takes nothing for so long has gone. */
const stallMs = 120_000

/** Makes the bytes of a file out of rows. */
export interface FileWriter {
  /** Before the first row. */
  begin(): Uint8Array | string
  rows(rows: readonly AnswerRow[]): Uint8Array | string
  end(): Uint8Array | string
}

/** Rows that are made into bytes at a time, so that nobody else waits for long. */
const rowsAtOnce = 5_000

async function assertSameRuns(deps: ReportDeps, request: ReportRequest, state: State) {
  const now = await readPublication(deps, request, state.published.boundary)
  if (runsFingerprint(now) !== runsFingerprint(state)) throw new ClickledgerError('cursor-expired')
}

async function* pagesOf(
  deps: ReportDeps,
  request: ReportRequest,
  state: State,
): AsyncGenerator<readonly ReportRow[]> {
  if (request.fillsZeros) {
    const limit = Math.min(request.limit, limits.reportRowsMax)
    const query = queryOf(request, state, limit + 1)
    yield fillZeros(await askStore(deps, query), query, limit)
    return
  }
  const order = totalOrder(request)
  const isOnePage = request.isTop === true || !isSteady(deps, request, state)
  // Where all time is one bucket, the store adds everything up anew for each page: few pages, then.
  const most = isOnePage || request.granularity === 'all' ? limits.reportRowsMax : pageRows
  let query = queryOf(request, state, 0)
  for (let left = request.limit; left > 0; ) {
    const limit = Math.min(left, most)
    const rows = await askStore(deps, { ...query, limit: limit + 1 })
    const isLast = rows.length <= limit || request.isTop === true
    if (isOnePage && !isLast && limit < left) throw movingOrder()
    const page = rows.slice(0, limit)
    yield page
    left -= page.length
    const last = page.at(-1)
    if (isLast || isOnePage || !last) return
    if (left === 0 && request.limit === limits.exportRowsMax) throw tooLong()
    query = { ...query, after: positionOf(order, last) }
  }
}

const movingOrder = () =>
  new ClickledgerError(
    'query-too-large',
    `order: above the boundary ranks by a metric move while clicks come, so at most ${limits.reportRowsMax} rows can be given. Set limit, order by time and dimensions, or ask with completeness=final.`,
  )

const tooLong = () =>
  new ClickledgerError(
    'query-too-large',
    `An export has ${limits.exportRowsMax} rows at most. Narrow start_time and end_time.`,
  )

/** Rows of the answer, page by page. */
async function* answerPages(
  deps: ReportDeps,
  request: ReportRequest,
  first: State,
): AsyncGenerator<readonly AnswerRow[]> {
  const end = endOf(request, first.published.boundary)
  for await (const rows of pagesOf(deps, request, first)) {
    const previous = await previousOf(request, first, rows, (query) => askStore(deps, query))
    await assertSameRuns(deps, request, first)
    const rowOf = createRowMaker(request, end, await lookAgain(deps, first, end))
    for (let from = 0; from < rows.length; from += rowsAtOnce) {
      yield rows.slice(from, from + rowsAtOnce).map((row) => rowOf(row, previous))
    }
  }
}

async function* bytesOf(
  first: IteratorResult<readonly AnswerRow[]>,
  rest: AsyncGenerator<readonly AnswerRow[]>,
  file: FileWriter,
): AsyncGenerator<Uint8Array | string> {
  try {
    yield file.begin()
    if (!first.done) yield file.rows(first.value)
    for await (const rows of rest) yield file.rows(rows)
    yield file.end()
  } finally {
    await rest.return(undefined)
  }
}

/**
 * Starts an export. The first page is read before it returns: what is wrong with a query is told as a
 * problem, not as a broken stream.
 * @throws ClickledgerError as `runReport`
 */
export async function startExport(
  deps: ReportDeps,
  request: ReportRequest,
  state: State,
  file: FileWriter,
): Promise<Readable> {
  const pages = answerPages(deps, request, state)
  const first = await pages.next()
  const giveUp = () => stream.destroy(new Error('the client takes nothing'))
  const timer = setTimeout(giveUp, stallMs).unref()
  const taken = async function* () {
    for await (const chunk of bytesOf(first, pages, file)) {
      timer.refresh()
      yield chunk
    }
  }
  const stream = Readable.from(taken(), { objectMode: false })
  return stream.once('close', () => clearTimeout(timer))
}
