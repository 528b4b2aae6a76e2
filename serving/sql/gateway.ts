// A statement -> an answer in Druid's formats, at the boundary that is published now. A small answer is
// held back until it is known to be whole; of a large one the rows flow, and an error breaks it off.
import { PassThrough, type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Filter } from '#core/report-query.ts'
import type { SqlAnswer, SqlExpr, SqlQuery, SqlStatement } from '#core/sql.ts'
import { boundaryInForce } from '#platform/boundaries.ts'
import type { Queryable } from '#platform/catalogue/port.ts'
import type { OlapStore } from '#platform/olap/port.ts'
import { readDropped } from '#platform/retention.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { limits } from '#schemas/limits.ts'
import type { Caller } from '../admission/caller.ts'
import type { QueryGate } from '../admission/query-gate.ts'
import { arrivingHours } from '../boundary.ts'
import type { Facts, FactsReader } from '../freshness.ts'
import { bindStatement } from './bind-query.ts'
import { createFormat } from './formats.ts'
import { bindParameter } from './literals.ts'
import { parseSql } from './parse.ts'
import { refusal } from './refusal.ts'
import type { SqlRequest } from './request.ts'
import { createBinding, type Pinned } from './scope.ts'

/** Bytes of an answer that are held back. */
const heldBytesMax = 256 * 1024

export interface SqlDeps {
  readonly catalogue: Queryable
  readonly olap: Pick<OlapStore, 'sql'>
  /** Answers what reads no view. */
  readonly constants: Pick<OlapStore, 'sql'>
  readonly gate: Pick<QueryGate, 'pass'>
  readonly facts: FactsReader
  readonly now: () => number
  readonly queryTimeoutMs: number
}

export interface SqlOutcome {
  readonly body: string | Readable
  /** It holds rows of clicks, not just of constants or of INFORMATION_SCHEMA. */
  readonly isOfClicks: boolean
  readonly boundary: number
  readonly watermark: number | undefined
  /** Newest clicks may be missing; of a large answer, as far as was known when it began. */
  readonly isDegraded: boolean
}

interface Bound {
  readonly statement: SqlStatement
  readonly facts: Facts
  readonly boundary: number
  readonly isLive: boolean
}

/** Rewrites a statement. Nothing is read or asked here. @throws ClickledgerError `sql-refused`, `not-kept` */
export function rewrite(request: SqlRequest, pinned: Pinned, timeoutMs: number): SqlStatement {
  const { tree, placeholders } = parseSql(request.query)
  const { parameters } = request
  if (placeholders.size !== parameters.length) {
    throw refusal(
      `The statement has ${placeholders.size} of ?, and parameters has ${parameters.length}.`,
    )
  }
  const parameter = (placeholder: object): SqlExpr => {
    const at = [...placeholders].find(([part]) => part === placeholder)?.[1] ?? -1
    const given = parameters[at]
    if (!given) throw refusal('parameters: one is missing.')
    return bindParameter(given, pinned.timeZone)
  }
  const binding = createBinding(pinned, parameter)
  const query = bindStatement(tree, binding)
  return {
    query: withOuterLimit(query, request.outerLimit),
    views: binding.views,
    timeoutMs: Math.min(request.timeoutMs ?? timeoutMs, timeoutMs),
    rowsMax: limits.sqlRowsMax + 1,
    estimate: request.estimate,
  }
}

const withOuterLimit = (query: SqlQuery, limit: number | undefined): SqlQuery =>
  limit ? { ...query, limit: Math.min(query.limit ?? limit, limit) } : query

async function earliestHour(catalogue: Queryable, boundary: number): Promise<number> {
  const [row] = await catalogue.query<{ hour: number | null }>(
    'SELECT min(hour) AS hour FROM published_hours',
  )
  return Math.min(boundary, Number(row?.hour ?? boundary))
}

async function bind(
  deps: SqlDeps,
  request: SqlRequest,
  filters: readonly Filter[],
): Promise<Bound> {
  const facts = await deps.facts.read()
  const { boundary } = await boundaryInForce(deps.catalogue)
  const pinned: Pinned = {
    now: deps.now(),
    boundary,
    dropped: await readDropped(deps.catalogue, 0, boundary),
    arriving: await arrivingHours(deps.catalogue, 0, boundary),
    earliest: await earliestHour(deps.catalogue, boundary),
    filters,
    timeZone: request.timeZone,
  }
  const statement = rewrite(request, pinned, deps.queryTimeoutMs)
  return { statement, facts, boundary, isLive: statement.views.some((v) => v.split.speed) }
}

/** The text of an answer, in pieces. */
async function* textOf(answer: SqlAnswer, request: SqlRequest): AsyncGenerator<string> {
  const format = createFormat(answer.columns, request)
  yield format.head()
  let count = 0
  for await (const rows of answer.rows) {
    const isFirst = count === 0
    count += rows.length
    if (count > limits.sqlRowsMax) {
      throw new ClickledgerError(
        'query-too-large',
        `More than ${limits.sqlRowsMax} rows: set a LIMIT.`,
      )
    }
    yield format.rows(rows, isFirst)
  }
  yield format.tail()
}

/** Reads until the end or until it is too much to hold. */
async function hold(pieces: AsyncGenerator<string>): Promise<{ text: string; isWhole: boolean }> {
  let text = ''
  while (text.length <= heldBytesMax) {
    const next = await pieces.next()
    if (next.done) return { text, isWhole: true }
    text += next.value
  }
  return { text, isWhole: false }
}

/**
 * Answers a statement.
 * @param filters - the tenant's predicate
 * @throws ClickledgerError `sql-refused`, `not-kept`, `query-too-large`, `query-timeout`,
 *   `too-many-requests`, `unavailable`
 */
export async function answerSql(
  deps: SqlDeps,
  request: SqlRequest,
  filters: readonly Filter[],
  caller: Caller,
): Promise<SqlOutcome> {
  const { statement, facts, boundary, isLive } = await bind(deps, request, filters)
  const { watermark } = facts
  const isBlind = isLive && (facts.isDegraded || watermark === undefined)
  const isOfClicks = statement.views.length > 0
  const started = Promise.withResolvers<SqlOutcome>()
  const work = async (signal: AbortSignal) => {
    const store = isOfClicks ? deps.olap : deps.constants
    const pieces = textOf(await store.sql(statement, signal), request)
    const { text, isWhole } = await hold(pieces)
    if (isWhole) {
      const isDegraded = isBlind || (isLive && !(await deps.facts.isWhole()))
      return started.resolve({ body: text, isOfClicks, boundary, watermark, isDegraded })
    }
    const body = new PassThrough()
    body.write(text)
    started.resolve({ body, isOfClicks, boundary, watermark, isDegraded: isBlind })
    await pipeline(pieces, body, { signal })
  }
  // After it has started, an error breaks the answer off: its status is out already.
  deps.gate.pass(caller, work).catch((error: unknown) => started.reject(error))
  return started.promise
}
