// Small runs of every benchmark, so that they do not rot. No time is asserted: only that each runs
// to its end, counts what it should and shows its figures.
import test, { type ExecutionContext } from 'ava'
import { runFreshnessBench } from './freshness.ts'
import { runIngestBench } from './ingest.ts'
import { runPublishBench } from './publish.ts'
import { runQueryBench } from './query.ts'
import { runGrowthBench, runRebuildBench } from './rebuild.ts'
import { runReportsBench } from './reports.ts'
import { runSpeedBench } from './speed-layer.ts'
import { benchSqlRewrite } from './sql-rewrite.ts'
import type { BenchResult } from './support/report.ts'
import { runYearBench } from './year.ts'

function hasFigures(t: ExecutionContext, { name, figures }: BenchResult, count: number): void {
  t.is(Object.keys(figures).length, count, name)
  for (const [label, text] of Object.entries(figures)) {
    t.regex(text, /\d/, label)
    t.notRegex(text, /NaN|undefined|Infinity/, label)
  }
}

test.serial('ingest: no accepted click is lost', async (t) => {
  const { result, lost, ratio } = await runIngestBench({ seconds: 0.6, connections: 8 })
  t.is(lost, 0)
  t.true(ratio > 0)
  hasFigures(t, result, 9)
})

test.serial('speed layer: everything is judged', async (t) => {
  const result = await runSpeedBench(5_000, 20_000)
  hasFigures(t, result, 4)
})

test.serial('rebuild: everything is judged', async (t) => {
  const { result, judged, clicks } = await runRebuildBench({
    hours: 2,
    clicksPerHour: 5_000,
    history: 1,
  })
  t.is(judged, clicks)
  t.true(judged > 9_900)
  hasFigures(t, result, 5)
})

test.serial('rebuild: days alone and together', async (t) => {
  hasFigures(t, await runGrowthBench(2, 200), 4)
})

test.serial('publication: hours are replaced', async (t) => {
  hasFigures(t, await runPublishBench(2, 5_000), 2)
})

test.serial('freshness: every probe is in a report, once', async (t) => {
  const { result, visible } = await runFreshnessBench({ probes: 3, rate: 50 })
  t.is(visible, 3)
  hasFigures(t, result, 5)
})

test.serial('query: merged answers equal those of plain SQL', async (t) => {
  const { result, clicks } = await runQueryBench({ clicks: 20_000, hours: 2, times: 2 })
  t.true(clicks > 19_900)
  hasFigures(t, result, 6)
})

test.serial('year: days answer as minutes do', async (t) => {
  hasFigures(t, await runYearBench({ clicks: 20_000, times: 2 }), 4)
})

test.serial('reports: those through the API have the rows of the query', async (t) => {
  const sizes = { clicks: 5_000, hours: 2, times: 2, rate: 100, equal: 50 }
  hasFigures(t, await runReportsBench(sizes), 6)
})

test('SQL rewrite: every statement of the fixtures', (t) => {
  hasFigures(t, benchSqlRewrite(3), 5)
})
