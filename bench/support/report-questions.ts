// Reports through the API, beside the same native query put straight to the store: in turns, so that
// both see the same machine. Each time another question, or the API would answer from memory.
import { request } from 'undici'
import type { ReportQuery } from '#core/report-query.ts'
import { dayMs } from '#schemas/paths.ts'
import { milliseconds, quantile, ratio } from './report.ts'
import type { BenchServing } from './serving.ts'

export interface FilledRange {
  readonly start: number
  readonly end: number
  readonly boundary: number
}

export interface ReportQuestion {
  readonly label: string
  readonly path: string
  readonly params: Readonly<Record<string, string>>
  readonly query: ReportQuery
}

const iso = (time: number) => new Date(time).toISOString()

/** The simple and the complex report of the design. */
export function reportQuestions({ start, end, boundary }: FilledRange): ReportQuestion[] {
  const day = {
    start: Math.max(start, boundary - dayMs / 2),
    end: Math.min(end, boundary + dayMs / 2),
  }
  const whole = { boundary, timeZone: 'UTC', limit: 50_001 } as const
  return [
    {
      label: 'simple: one ad of an advertiser, a day by minute',
      path: '/v1/reports/clicks/timeseries',
      params: {
        ...{ start_time: iso(day.start), end_time: iso(day.end), granularity: 'minute' },
        ...{
          metrics: 'click_count,gross_click_count',
          filters: 'advertiser_id==adv-7;ad_id==ad-7',
        },
      },
      query: {
        ...{ ...whole, ...day, granularity: 'minute', dimensions: [] },
        metrics: ['click_count', 'gross_click_count'],
        filters: [
          { dimension: 'advertiser_id', kind: 'in', values: ['adv-7'] },
          { dimension: 'ad_id', kind: 'in', values: ['ad-7'] },
        ],
      },
    },
    {
      label: 'complex: everything, the top 100 ads by country',
      path: '/v1/reports/clicks/timeseries',
      params: {
        ...{ start_time: iso(start), end_time: iso(end), granularity: 'all' },
        ...{ dimensions: 'ad_id,country', metrics: 'click_count' },
        ...{ order: '-click_count', limit: '100' },
      },
      query: {
        ...{ ...whole, start, end, granularity: 'all', dimensions: ['ad_id', 'country'] },
        ...{ metrics: ['click_count'], filters: [], limit: 101 },
        order: [{ by: 'click_count', descending: true }],
      },
    },
  ]
}

/** The same question with a filter that excludes nothing, so that nobody has asked it before. */
function anew({ params, query }: ReportQuestion, n: number) {
  const nobody = `nobody-${process.pid}-${n}`
  const filters = [params.filters, `source!=${nobody}`].filter((one) => one !== undefined)
  return {
    params: { ...params, filters: filters.join(';') },
    query: {
      ...query,
      filters: [
        ...query.filters,
        { dimension: 'source', kind: 'not-in', values: [nobody] } as const,
      ],
    },
  }
}

let asked = 0
/** Programs that have just started, and stores that have just loaded, are slower for a while. */
const warmUp = { ms: 15_000, asksPerTime: 10 } as const

/** Asks both, in turns, unmeasured at first; `rows` of the last answers. */
export async function askBoth(
  serving: BenchServing,
  question: ReportQuestion,
  direct: (query: ReportQuery) => Promise<number>,
  times: number,
) {
  const begun = performance.now()
  for (let i = 0; i < times * warmUp.asksPerTime && performance.now() - begun < warmUp.ms; i++) {
    await askSome(serving, question, direct, 1)
  }
  return askSome(serving, question, direct, times)
}

async function askSome(
  { url, key }: BenchServing,
  question: ReportQuestion,
  direct: (query: ReportQuery) => Promise<number>,
  times: number,
) {
  const through: number[] = []
  const straight: number[] = []
  let rows = { api: 0, direct: 0 }
  for (let i = 0; i < times; i++) {
    const { params, query } = anew(question, asked++)
    const begun = performance.now()
    const answer = await request(`${url}${question.path}?${new URLSearchParams(params)}`, {
      headers: { authorization: `Bearer ${key}` },
    })
    const { data } = (await answer.body.json()) as { data?: unknown[] }
    const halfway = performance.now()
    if (!data) throw new Error(`${question.label}: ${answer.statusCode}`)
    const count = await direct(query)
    through.push(halfway - begun)
    straight.push(performance.now() - halfway)
    rows = { api: data.length, direct: count }
  }
  return { through, straight, rows }
}

const show = (times: readonly number[]) =>
  `p50 ${milliseconds(quantile(times, 0.5))}, p95 ${milliseconds(quantile(times, 0.95))}`

/** `p50 12 ms, p95 20 ms; straight p50 ..; ratio of p50 1.1x, of p95 1.2x`. */
export function showBoth(through: readonly number[], straight: readonly number[]): string {
  const of = (q: number) => ratio(quantile(through, q), quantile(straight, q))
  return `${show(through)}; straight ${show(straight)}; ratio of p50 ${of(0.5)}, of p95 ${of(0.95)}`
}
