// How long the SQL gateway takes to rewrite a statement (parse, bind, compile for Druid and for DuckDB),
// beside the parser alone, in one run. The statements are those that Superset and Grafana send.
import { readSettings } from '#platform/config.ts'
import { druidNames } from '#platform/olap/druid-specs.ts'
import { compileDruidStatement } from '#platform/olap/druid-statement.ts'
import { compileDuckDbStatement } from '#platform/olap/duckdb-statement.ts'
import { hourMs } from '#schemas/paths.ts'
import { rewrite } from '../serving/sql/gateway.ts'
import { parseSql } from '../serving/sql/parse.ts'
import { parseSqlRequest } from '../serving/sql/request.ts'
import type { Pinned } from '../serving/sql/scope.ts'
import { fixtureRequests } from '../serving/sql/testing/fixtures.ts'
import { type BenchResult, milliseconds, printResult, quantile, ratio } from './support/report.ts'

const boundary = Date.UTC(2026, 10, 22, 5)
const pinned = (timeZone: string): Pinned => ({
  ...{ now: boundary + 2 * hourMs, boundary, timeZone },
  earliest: boundary - 365 * 24 * hourMs,
  dropped: { minute: [], hour: [] },
  arriving: [],
  filters: [{ dimension: 'advertiser_id', kind: 'in', values: ['adv-1'] }],
})

/** @param times - that each statement is rewritten */
export function benchSqlRewrite(times: number): BenchResult {
  const requests = fixtureRequests.map(({ body }) => parseSqlRequest(body))
  const names = druidNames(readSettings({}))
  const [parsing, rewriting, busy]: [number[], number[], number[]] = [[], [], []]
  for (let i = 0; i < times; i++) {
    for (const request of requests) {
      const begun = performance.now()
      parseSql(request.query)
      const parsed = performance.now()
      const before = process.cpuUsage()
      const statement = rewrite(request, pinned(request.timeZone), 30_000)
      compileDruidStatement(statement, names)
      compileDuckDbStatement(statement)
      // The first rounds are compiled by V8 while they run.
      if (i < times / 10) continue
      parsing.push(parsed - begun)
      rewriting.push(performance.now() - parsed)
      const { user, system } = process.cpuUsage(before)
      busy.push((user + system) / 1000)
    }
  }
  const [p50, p99] = [quantile(rewriting, 0.5), quantile(rewriting, 0.99)]
  return {
    name: `SQL gateway: ${requests.length} statements of Superset and Grafana, ${times} times each`,
    figures: {
      'rewrite, p50': milliseconds(p50),
      'rewrite, p99 (to be under 5 ms)': milliseconds(p99),
      // On a busy machine most of the slowest are waiting for a core.
      'rewrite, p99 of its CPU time': milliseconds(quantile(busy, 0.99)),
      'parser alone, p99': milliseconds(quantile(parsing, 0.99)),
      'rewrite against parser, p50': ratio(p50, quantile(parsing, 0.5)),
    },
  }
}

if (import.meta.main) {
  printResult(benchSqlRewrite(Number(process.argv[2] ?? 500)))
}
