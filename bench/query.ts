// Report queries over both views, split at the boundary, beside the same question put straight to
// DuckDB as plain SQL over one table of the same clicks. The answers must be equal.
import type { ReportQuery, ReportRow } from '#core/report-query.ts'
import { hourMs, minuteMs } from '#schemas/paths.ts'
import { type BenchResult, milliseconds, printResult, quantile, ratio } from './support/report.ts'
import { type MadeViews, makeViews } from './support/views.ts'

export interface QueryBenchOptions {
  readonly clicks: number
  readonly hours: number
  /** Times that each query is asked. */
  readonly times: number
}

interface Question {
  readonly label: string
  readonly query: Partial<ReportQuery>
  readonly plain: string
}

const valid = `FILTER (WHERE status = 'valid')`
const visitors = `count(DISTINCT visitor) ${valid}`

function questions({ start, end, boundary }: MadeViews): Question[] {
  const day = {
    start: Math.max(start, boundary - 12 * hourMs),
    end: Math.min(end, boundary + 12 * hourMs),
  }
  return [
    {
      label: 'one ad, a day by minute',
      query: {
        ...day,
        granularity: 'minute',
        filters: [{ dimension: 'ad_id', kind: 'in', values: ['ad-7'] }],
        metrics: ['click_count', 'gross_click_count'],
      },
      plain: `SELECT event_time - event_time % ${minuteMs}, count(*) ${valid}, count(*) FROM clicks
        WHERE ad_id = 'ad-7' AND event_time >= ${day.start} AND event_time < ${day.end} GROUP BY 1`,
    },
    {
      label: 'one advertiser, by hour, with visitors',
      query: {
        granularity: 'hour',
        filters: [{ dimension: 'advertiser_id', kind: 'in', values: ['adv-3'] }],
        metrics: ['click_count', 'unique_user_count'],
      },
      plain: `SELECT event_time - event_time % ${hourMs}, count(*) ${valid}, ${visitors} FROM clicks
        WHERE advertiser_id = 'adv-3' GROUP BY 1`,
    },
    {
      label: 'top 10 ads of everything',
      query: {
        dimensions: ['ad_id'],
        metrics: ['click_count'],
        order: [{ by: 'click_count', descending: true }],
        limit: 10,
      },
      plain: `SELECT ad_id, count(*) ${valid} AS clicks FROM clicks GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 10`,
    },
    {
      label: 'totals by country of everything',
      query: { dimensions: ['country'], metrics: ['click_count', 'gross_click_count'] },
      plain: `SELECT country, count(*) ${valid}, count(*) FROM clicks GROUP BY 1`,
    },
    {
      label: 'visitors by country of everything',
      query: { dimensions: ['country'], metrics: ['unique_user_count'] },
      plain: `SELECT country, ${visitors} FROM clicks GROUP BY 1`,
    },
  ]
}

const flat = (
  row: ReportRow,
  { granularity, dimensions = [], metrics = [] }: Partial<ReportQuery>,
) =>
  [
    ...(granularity === 'all' ? [] : [row.time]),
    ...dimensions.map((name) => row.dimensions[name]),
    ...metrics.map((name) => row.metrics[name]),
  ].join(' ')

async function timed<T>(times: number[], work: () => Promise<T>): Promise<T> {
  const begun = performance.now()
  const result = await work()
  times.push(performance.now() - begun)
  return result
}

/** Asks one question of both, in turns. */
async function ask(views: MadeViews, { label, query: part, plain }: Question, times: number) {
  const { store, start, end, boundary } = views
  const whole = { start, end, boundary, granularity: 'all', timeZone: 'UTC' } as const
  const none = { dimensions: [], filters: [], metrics: [], limit: 50_000 }
  const query: ReportQuery = { ...whole, ...none, ...part }
  const [merged, straight]: [number[], number[]] = [[], []]
  for (let i = 0; i < times; i++) {
    const rows = await timed(merged, () => store.query(query))
    const expected = await timed(straight, async () =>
      (await views.plain.runAndReadAll(plain)).getRows().map((row) => row.join(' ')),
    )
    const got = rows.map((row) => flat(row, query))
    if (got.sort().join('\n') !== expected.sort().join('\n')) {
      throw new Error(`${label}: the answers differ: ${got.slice(0, 3)} | ${expected.slice(0, 3)}`)
    }
  }
  return { merged, straight }
}

const show = (times: readonly number[]) =>
  `p50 ${milliseconds(quantile(times, 0.5))}, p95 ${milliseconds(quantile(times, 0.95))}`

export interface QueryBench {
  readonly result: BenchResult
  readonly clicks: number
}

/** Measures every question. @throws Error where an answer differs from the plain one */
export async function runQueryBench(options: QueryBenchOptions): Promise<QueryBench> {
  const { clicks, hours, times } = options
  const views = await makeViews(hours, Math.ceil(clicks / (2 * hours)))
  try {
    const figures: Record<string, string> = {}
    for (const question of questions(views)) {
      const { merged, straight } = await ask(views, question, times)
      figures[question.label] =
        `${show(merged)}; plain SQL ${show(straight)}; ratio ${ratio(quantile(merged, 0.5), quantile(straight, 0.5))}`
    }
    const result: BenchResult = {
      name: `Queries: ${views.clicks.toLocaleString('en')} made-up clicks, half below the boundary`,
      figures: { ...figures, 'batch view loaded in': milliseconds(views.loadMs) },
    }
    return { result, clicks: views.clicks }
  } finally {
    await views.close()
  }
}

if (import.meta.main) {
  const [clicks = 10_000_000, hours = 24, times = 15] = process.argv.slice(2).map(Number)
  printResult((await runQueryBench({ clicks, hours, times })).result)
}
