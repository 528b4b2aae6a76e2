// Statements on Druid: sent as text that druid-statement.ts made, read line by line as they come. What
// Druid cannot plan is the statement's fault, and is told in Druid's words.
import { randomUUID } from 'node:crypto'
import type { SqlAnswer, SqlColumn, SqlStatement, SqlValue } from '#core/sql.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { uniqueMetrics } from '#schemas/metrics.ts'
import type { Brokers } from './druid-brokers.ts'
import { type DruidClient, DruidError, statementIds, storeError } from './druid-http.ts'
import { subqueryRowsMax } from './druid-joins.ts'
import type { SegmentWatch } from './druid-segments.ts'
import type { DruidNames } from './druid-specs.ts'
import { compileDruidStatement, statementRanges } from './druid-statement.ts'

/** Characters of one line of an answer: a row of long texts. */
const lineCharsMax = 1_000_000

export interface StatementParts {
  readonly client: DruidClient
  readonly names: DruidNames
  readonly brokers: Brokers
  readonly segments: SegmentWatch
}

/** Druid's planner fails on some statements in ways that it does not call their fault. */
const unplanned =
  /could not be planned|cannot be planned|unknown exception|not supported|unsupported/i

/** A sub-query that Druid puts into memory has its sketches as bytes there, which nothing can read. */
const sketchLost = /cannot be cast to class \S*HllSketchHolder/

/** Druid's word for `maxSubqueryRows`. */
const tooManyJoined = /subquer(?:y|ies) generated results beyond maximum\s?\[(\d+)\]/i

function statementError(error: unknown): ClickledgerError {
  if (error instanceof DruidError) {
    const { status, message } = error
    if (sketchLost.test(message)) {
      return new ClickledgerError(
        'sql-refused',
        `Druid cannot carry ${uniqueMetrics.map(({ name }) => name).join(' and ')} through a join like this one: count them in a sub-query of its own that joins nothing.`,
        error,
      )
    }
    const rows = tooManyJoined.exec(message)?.[1]
    if (rows) {
      return new ClickledgerError(
        'query-too-large',
        `What this statement joins, or takes from sub-queries, has more than ${rows} rows together. Filter or group them first; a join on all columns that its right side is grouped by may have more.`,
        error,
      )
    }
    const known = storeError(error)
    if (known.code === 'query-too-large' || known.code === 'query-timeout') return known
    const isItsFault =
      status === 400 || status === 501 || (status === 500 && unplanned.test(message))
    if (isItsFault) {
      return new ClickledgerError(
        'sql-refused',
        `Druid: ${message.replace(/^\d+: /, '').trim()}`,
        error,
      )
    }
  }
  return storeError(error)
}

/** The lines of a body; the last one only where it ended. */
async function* linesOf(body: AsyncIterable<Buffer>): AsyncGenerator<string[]> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > lineCharsMax) throw new DruidError(502, 'a row of the answer is too long')
    if (lines.length > 0) yield lines
  }
}

const headerLines = 3

interface Ends {
  /** Once everything has been read. */
  after(): Promise<void>
  /** Ends the query in Druid. */
  cancel(): void
}

/** Names, types, SQL types, rows, and an empty line, without which the answer broke off. */
async function readAnswer(body: AsyncIterable<Buffer>, ends: Ends): Promise<SqlAnswer> {
  const batches = linesOf(body)
  const first: string[] = []
  while (first.length < headerLines) {
    const next = await batches.next()
    if (next.done) throw new DruidError(502, 'the answer of Druid broke off')
    first.push(...next.value)
  }
  const [names = [], types = [], sqlTypes = []] = first
    .splice(0, headerLines)
    .map((line) => JSON.parse(line) as string[])
  const columns = names.map(
    (name, i): SqlColumn => ({ name, type: types[i] ?? 'STRING', sqlType: sqlTypes[i] ?? 'OTHER' }),
  )
  return { columns, rows: rowsOf(first, batches, ends) }
}

async function* rowsOf(
  first: readonly string[],
  batches: AsyncGenerator<string[]>,
  { after, cancel }: Ends,
): AsyncGenerator<SqlValue[][]> {
  let isWhole = false
  const rowsIn = (lines: readonly string[]): SqlValue[][] =>
    lines.flatMap((line) => {
      if (line === '') isWhole = true
      return line === '' ? [] : [JSON.parse(line) as SqlValue[]]
    })
  try {
    if (first.length > 0) yield rowsIn(first)
    for await (const lines of batches) yield rowsIn(lines)
    if (!isWhole) throw new DruidError(502, 'the answer of Druid broke off')
    await after()
  } catch (error) {
    throw statementError(error)
  } finally {
    // Whoever stops reading wants no more of it.
    if (!isWhole) cancel()
  }
}

export function createStatements({ client, names, brokers, segments }: StatementParts) {
  return async (statement: SqlStatement, signal?: AbortSignal): Promise<SqlAnswer> => {
    const { timeoutMs, estimate } = statement
    const id = randomUUID()
    const ranges = statementRanges(statement)
    const maxSubqueryRows = subqueryRowsMax(statement.query)
    let server = ''
    // What is missing before or after the query may have been missing in it.
    const vouch = () => segments.check(ranges, server)
    try {
      server = await brokers.next()
      await vouch()
      const request = {
        ...{ path: '/druid/v2/sql', server },
        body: {
          query: compileDruidStatement(statement, names),
          resultFormat: 'arrayLines',
          ...{ header: true, typesHeader: true, sqlTypesHeader: true },
          context: {
            ...statementIds(id),
            timeout: timeoutMs,
            sqlTimeZone: 'UTC',
            useApproximateTopN: estimate?.topN ?? false,
            ...(maxSubqueryRows === undefined ? {} : { maxSubqueryRows }),
            ...(estimate?.countDistinct === undefined
              ? {}
              : { useApproximateCountDistinct: estimate.countDistinct }),
          },
        },
        timeoutMs: timeoutMs + 2_000,
        ...(signal ? { signal } : {}),
      }
      const body = await client.open(request)
      return await readAnswer(body, {
        after: vouch,
        cancel: () => client.cancel(id, server),
      })
    } catch (error) {
      if (error instanceof DruidError && error.lost?.isGivenUp) client.cancel(id, server)
      throw statementError(error)
    }
  }
}
