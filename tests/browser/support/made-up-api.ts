// The dashboard's page together with a made-up API that keeps the contract. Numbers are a pure
// function of minute and filters, so any answer can be computed again and compared.
import type { IncomingMessage, ServerResponse } from 'node:http'
import fastify from 'fastify'
import { provenanceOf } from '#core/boundary.ts'
import { bucketStart, formatInstant } from '#core/buckets.ts'
import { defaultRuleSet, formatRuleSet } from '#core/rules/rule-set.ts'
import { hourMs, hourOf, minuteMs } from '#schemas/paths.ts'
import { parseReport, parseTopN, type ReportRequest } from '../../../serving/reports/params.ts'
import { addDashboard } from '../../../serving/routes/dashboard.ts'
import { type Server, securityHeaders } from '../../../serving/server.ts'

export const fixtureKey = 'clk_fixture'
/** Values and their shares of all clicks. */
const shares: Record<string, Record<string, number>> = {
  ad_id: {
    'summer-hero-1': 0.34,
    'summer-hero-2': 0.21,
    'retarget-cart': 0.16,
    'brand-search': 0.12,
    'video-15s': 0.09,
    'newsletter-footer': 0.05,
    'partner-blog': 0.03,
  },
  country: { US: 0.31, DE: 0.19, GB: 0.14, IN: 0.12, BR: 0.1, JP: 0.08, '': 0.06 },
  device_type: { mobile: 0.58, desktop: 0.31, tablet: 0.07, tv: 0.02, bot: 0.02 },
  source: { redirect: 0.7, pixel: 0.2, api: 0.1 },
  publisher_id: { 'news-site': 0.6, 'blog-network': 0.4 },
  os: { Android: 0.5, iOS: 0.3, Windows: 0.2 },
  campaign_id: { 'summer-26': 0.55, 'always-on': 0.28, retargeting: 0.17 },
  browser: { Chrome: 0.61, Safari: 0.24, Firefox: 0.08, Edge: 0.07 },
}

const ownOf = (role: string) => ({
  ...{ role, name: '', prefix: fixtureKey },
  advertiser_ids: role === 'advertiser' ? ['acme'] : [],
  publisher_ids: role === 'publisher' ? ['news-site'] : [],
})
const placements = [
  { slot: 'front-page', publisher_id: 'news-site', ad_ids: ['summer-hero-1', 'video-15s'] },
  { slot: 'sidebar', publisher_id: 'news-site', ad_ids: ['retarget-cart'] },
]
const rules = formatRuleSet(defaultRuleSet)

const receiptOf = (pathname: string) => ({
  event_id: pathname.split('/').at(-1),
  ...{ state: 'archived', provenance: 'final', counted_as: 'duplicate', billed: false },
  facts: { event_time: '2026-11-22T05:00:01.000Z', ad_id: 'summer-hero-1', referrer_url: '' },
  copies: [],
  speed: { state: 'judged', status: 'valid', rule: '', judged_time: '2026-11-22T05:00:02.000Z' },
  batch: { state: 'judged', status: 'duplicate', rule: 'double-click', in_force: true },
  repeats: { rule: 'double-click', clicks: [{ event_id: '0195-1' }] },
})

interface Counts {
  valid: number
  duplicate: number
  invalid: number
}

function noise(n: number): number {
  const x = Math.sin(n * 12.9898) * 43758.5453
  return x - Math.floor(x)
}

/** Share of the clicks that the filters let through. */
function shareOf(filters: ReportRequest['filters']): number {
  return filters.reduce((product, { dimension, kind, values }) => {
    const known = Object.entries(shares[dimension] ?? { other: 1 })
    const inside = known
      .filter(([name]) =>
        kind === 'prefix' ? values.some((v) => name.startsWith(v)) : values.includes(name),
      )
      .reduce((sum, [, share]) => sum + share, 0)
    return product * (kind === 'not-in' ? 1 - inside : inside)
  }, 1)
}

/** Clicks of one minute: a day's wave, noise, and now and then a burst of bots. */
function minuteCounts(time: number, share: number): Counts {
  const minute = time / minuteMs
  const wave = 1 + 0.55 * Math.sin(((minute % 1440) / 1440) * 2 * Math.PI - 1.9)
  const valid = Math.round(share * 420 * wave * (0.85 + 0.3 * noise(minute)))
  const burst = noise(Math.floor(minute / 37) + 7) > 0.93 ? 5 : 1
  return {
    valid,
    duplicate: Math.round(valid * (0.02 + 0.02 * noise(minute + 0.3))),
    invalid: Math.round(valid * 0.05 * noise(minute + 0.6) * burst),
  }
}

/** Each value of a dimension has a quality of its own: believable breakdowns. */
function skew({ valid, duplicate, invalid }: Counts, name: string): Counts {
  const factor = 0.3 + 2 * noise(name.length + name.charCodeAt(0))
  if (name === 'bot') return { valid: 0, duplicate: 0, invalid: valid + duplicate + invalid }
  return { valid, duplicate, invalid: Math.round(invalid * factor) }
}

const row = ({ valid, duplicate, invalid }: Counts) => ({
  click_count: valid,
  gross_click_count: valid + duplicate + invalid,
  duplicate_click_count: duplicate,
  fraudulent_click_count: invalid,
  unique_user_count: Math.round(valid * 0.83),
})

export interface DashboardFixture {
  readonly url: string
  /** Paths with queries, in the order of arrival. */
  readonly requests: string[]
  /** What the API answers now to a timeseries. */
  timeseries(query: string): { data: Record<string, string | number>[] }
  /** Changes what the API does from now on. */
  readonly behaviour: Behaviour
  close(): Promise<void>
}

export interface Behaviour {
  /** Of the reader. */
  role: 'advertiser' | 'publisher'
  /** Answer reports with this problem. */
  problem?: { status: number; title: string; detail: string; fix: string } | undefined
  /** No clicks at all. */
  empty: boolean
  /** `/v1/live` exists. */
  live: boolean
  /** Hours between the boundary and the hour that is running. */
  boundaryHoursAgo: number
  watermarkLagMs: number
}

/** The same metrics of the period before. */
const previous = (counts: Counts) =>
  Object.fromEntries(Object.entries(row(counts)).map(([name, n]) => [`previous_${name}`, n]))

const csv = ({ data }: { data: readonly Record<string, unknown>[] }) =>
  [Object.keys(data[0] ?? {}), ...data.map((r) => Object.values(r))]
    .map((r) => r.join())
    .join('\r\n')

/** Serves page and API on a free port. */
export async function startDashboardFixture(
  given: Partial<Behaviour> & { port?: number } = {},
): Promise<DashboardFixture> {
  const behaviour: Behaviour = {
    role: 'advertiser',
    empty: false,
    live: true,
    boundaryHoursAgo: 1,
    watermarkLagMs: 400,
    ...given,
  }
  const requests: string[] = []
  const boundary = () => hourOf(Date.now()) - behaviour.boundaryHoursAgo * hourMs
  const watermark = () => Date.now() - behaviour.watermarkLagMs
  const countsAt = (time: number, share: number): Counts => {
    if (behaviour.empty || time > watermark()) return { valid: 0, duplicate: 0, invalid: 0 }
    const part = Math.min(1, (watermark() - time) / minuteMs)
    return minuteCounts(time, share * part)
  }
  const sumUp = (start: number, end: number, share: number): Counts => {
    const sum = { valid: 0, duplicate: 0, invalid: 0 }
    for (let time = start; time < end; time += minuteMs) {
      const counts = countsAt(time, share)
      sum.valid += counts.valid
      sum.duplicate += counts.duplicate
      sum.invalid += counts.invalid
    }
    return sum
  }
  const meta = () => ({
    boundary: new Date(boundary()).toISOString(),
    watermark: new Date(watermark()).toISOString(),
    approximate: ['unique_user_count'],
    next: null,
  })
  const provenance = (end: number) => provenanceOf(end, boundary(), watermark())

  const timeseries = (query: string) => {
    const { compare_to, zero_fill: _, ...params } = Object.fromEntries(new URLSearchParams(query))
    const request = parseReport(params, Date.now())
    const span = request.end - request.start
    const { start, granularity, timeZone } = request
    const end = request.completeness === 'final' ? Math.min(request.end, boundary()) : request.end
    const share = shareOf(request.filters)
    const starts = new Map<number, { from: number; to: number }>()
    for (let time = start; time < end; time += minuteMs) {
      const bucket = bucketStart(granularity === 'all' ? start : time, granularity, timeZone)
      const known = starts.get(bucket)
      starts.set(bucket, { from: known?.from ?? time, to: Math.min(end, time + minuteMs) })
    }
    const data = [...starts].map(([bucket, { from, to }]) => ({
      time: formatInstant(bucket, timeZone),
      ...row(sumUp(from, to, share)),
      ...(compare_to ? previous(sumUp(from - span, to - span, share)) : {}),
      provenance: provenance(to),
    }))
    return { meta: meta(), data: data.filter((r) => r.gross_click_count > 0) }
  }
  const topN = (query: string) => {
    const { compare_to, ...params } = Object.fromEntries(new URLSearchParams(query))
    const request = parseTopN({ ...params, top_n: Number(params.top_n) } as never, Date.now())
    const [dimension = 'ad_id'] = request.dimensions
    const share = shareOf(request.filters)
    const data = Object.entries(shares[dimension] ?? {}).map(([name, part]) => ({
      time: new Date(request.start).toISOString(),
      [dimension]: name,
      ...row(skew(sumUp(request.start, request.end, share * part), name)),
      ...(compare_to
        ? previous(skew(sumUp(2 * request.start - request.end, request.start, share * part), name))
        : {}),
      provenance: provenance(request.end),
    }))
    return { meta: meta(), data: behaviour.empty ? [] : data.slice(0, request.limit) }
  }
  const live = (query: string, response: ServerResponse) => {
    const filters = parseReport(
      { filters: new URLSearchParams(query).get('filters') ?? '' },
      Date.now(),
    ).filters
    const share = shareOf(filters)
    const send = () => {
      const last = Math.floor(Date.now() / minuteMs) * minuteMs
      const series = Array.from({ length: 60 }, (_, i) => {
        const time = last - (59 - i) * minuteMs
        return {
          time: new Date(time).toISOString(),
          ...row(countsAt(time, share)),
          provenance: provenance(time + minuteMs),
        }
      })
      const data = { ...meta(), series, totals: {} }
      response.write(`event: counts\ndata: ${JSON.stringify(data)}\n\n`)
    }
    response.writeHead(200, { ...securityHeaders, 'content-type': 'text/event-stream' })
    response.write('retry: 2000\n\n: hello\n\n')
    send()
    const timer = setInterval(send, 1_000)
    response.on('close', () => clearInterval(timer))
  }

  const api = (request: IncomingMessage, response: ServerResponse, url: URL) => {
    const answer = (status: number, body: unknown) => {
      response.writeHead(status, { ...securityHeaders, 'content-type': 'application/json' })
      response.end(JSON.stringify(body))
    }
    requests.push(url.pathname + url.search)
    if (request.headers.authorization !== `Bearer ${fixtureKey}`) {
      return answer(401, { title: 'No valid API key.', detail: 'No valid API key.' })
    }
    if (url.pathname === '/v1/live') {
      return behaviour.live ? live(url.search, response) : answer(404, { title: 'No such thing' })
    }
    if (behaviour.problem) return answer(behaviour.problem.status, behaviour.problem)
    try {
      if (url.pathname === '/v1/me') return answer(200, ownOf(behaviour.role))
      if (url.pathname === '/v1/placements') return answer(200, { data: placements, next: null })
      if (url.pathname === '/v1/rules') return answer(200, rules)
      if (url.pathname.startsWith('/v1/clicks/')) return answer(200, receiptOf(url.pathname))
      if (url.pathname === '/v1/freshness') return answer(200, { ...meta(), state: 'live' })
      const report = { timeseries, topN }[url.pathname.split('/').at(-1) ?? '']
      if (report) {
        const format = url.searchParams.get('format')
        url.searchParams.delete('format')
        const found = report(url.search)
        if (format !== 'csv') return answer(200, found)
        response.writeHead(200, { 'content-type': 'text/csv; charset=utf-8' })
        return response.end(csv(found))
      }
      return answer(404, { title: 'No such thing' })
    } catch (error) {
      return answer(400, { title: 'The request is malformed.', detail: String(error) })
    }
  }
  const app = fastify({ forceCloseConnections: true })
  app.addHook('onRequest', async (_, reply) => {
    reply.headers(securityHeaders)
  })
  app.all('/v1/*', (request, reply) => {
    reply.hijack()
    api(request.raw, reply.raw, new URL(request.url, 'http://fixture'))
  })
  await addDashboard(app as unknown as Server)
  const url = await app.listen({ port: given.port ?? 0, host: '127.0.0.1' })
  return {
    url,
    requests,
    timeseries,
    behaviour,
    close: () => app.close(),
  }
}
