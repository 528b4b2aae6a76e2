// A small stand-in for ingest and serving in one server: it keeps what it is sent, answers as the
// contract says, and fails when told to. For tests of the commands' own behaviour only.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ExecutionContext } from 'ava'
import { problem } from '#schemas/errors.ts'
import type { ClickJson } from '../import/click.ts'

export interface Hit {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

interface FakeAd {
  ad_id: string
  advertiser_id: string
  target_url: string
}

interface Answer {
  readonly status: number
  readonly value: unknown
  readonly headers?: Record<string, string>
}

const ok = (value: unknown): Answer => ({ status: 200, value })

const difference = (name: string, clicks: number) => ({
  ...{ advertiser_id: 'acme', class: name, clicks },
  examples: [
    {
      ...{ event_id: `of-${name}`, event_time: '2026-11-21T10:05:00.000Z' },
      ...{ raw_partition: 3, raw_offset: 17, batch: 'valid', speed: '' },
    },
  ],
})

/** One hour that differs, and one that waits. */
const reconciled = {
  meta: {
    ...{ hours_waiting: 1, hours_unseen: 2, is_cut: false },
    totals: { late: 1200, 'missing-in-speed': 1 },
  },
  data: [
    {
      ...{ hour: '2026-11-21T10:00:00.000Z', state: 'compared', detail: '', clicks: 5_000 },
      differences: [difference('late', 1200), difference('missing-in-speed', 1)],
    },
    {
      ...{ hour: '2026-11-21T11:00:00.000Z', state: 'waiting', clicks: 0, differences: [] },
      detail: 'the archive is behind',
    },
  ],
}

const auditEntries = [
  {
    ...{ at: '2026-11-21T10:05:00.000Z', actor: 'admin:clk_abc', action: 'keys.revoke' },
    ...{ subject: 'key_1', detail: { why: 'leaked' } },
  },
]

export class FakeInstance {
  readonly key = 'clk_fake'
  readonly hits: Hit[] = []
  readonly ads = new Map<string, FakeAd>()
  /** Clicks accepted, by event_id: copies collapse, as they do in the real thing. */
  readonly clicks = new Map<string, ClickJson>()
  /** Faults for the next calls of /import/clicks. */
  readonly faults: ('503' | '429' | 'lost-answer')[] = []
  runPolls = 0
  freshnessPolls = 0
  url = ''

  private importClicks(body: string): Answer {
    const { clicks } = JSON.parse(body) as { clicks: ClickJson[] }
    const results = clicks.map((click) => {
      const event_id = click.event_id ?? ''
      if (!this.ads.has(click.ad_id)) {
        return { accepted: false, event_id, reason: 'unknown-ad', detail: `no ad ${click.ad_id}` }
      }
      this.clicks.set(event_id, click)
      return { accepted: true, event_id }
    })
    return ok({ results })
  }

  private upsertAds(body: string, isBulk = false): Answer {
    const ads = (
      body.startsWith('[') ? JSON.parse(body) : body.split('\n').map((line) => JSON.parse(line))
    ) as FakeAd[]
    const rejected = ads.flatMap((ad, i) =>
      ad.ad_id.includes(' ') ? [{ line: i + 1, reason: 'bad-request', detail: 'ad_id' }] : [],
    )
    for (const ad of ads) if (!ad.ad_id.includes(' ')) this.ads.set(ad.ad_id, ad)
    const upserted = ads.length - rejected.length
    return isBulk
      ? ok({ lines: ads.length, upserted, rejected: rejected.length, faults: rejected })
      : ok({ upserted, rejected })
  }

  private listAds(url: URL): Answer {
    const after = url.searchParams.get('after') ?? ''
    const limit = Number(url.searchParams.get('limit') ?? 100)
    const sorted = [...this.ads.values()].sort((a, b) => (a.ad_id < b.ad_id ? -1 : 1))
    return ok({ data: sorted.filter((ad) => ad.ad_id > after).slice(0, limit), next: null })
  }

  /** The watermark passes a second after each look, as time does. */
  private freshness(): Answer {
    this.freshnessPolls += 1
    const now = Date.UTC(2026, 0, 1)
    const watermark = now + (this.freshnessPolls - 3) * 1_000
    return ok({ now: new Date(now).toISOString(), watermark: new Date(watermark).toISOString() })
  }

  private keys(method: string, url: URL, body: string): Answer {
    const record = { key_id: 'key_1', prefix: 'clk_abc', role: 'engineer', name: 'airflow' }
    const times = { created_at: '2026-11-01T00:00:00.000Z', expires_at: null, last_used_at: null }
    const full = { ...record, ...times, state: 'active', advertiser_ids: [], publisher_ids: [] }
    if (method === 'GET') return ok({ data: [full], next: null })
    if (method === 'DELETE') return ok({ ...full, state: 'revoked' })
    if (url.pathname.endsWith('/rotate')) {
      return {
        status: 201,
        value: { key: 'clk_newer', made: { ...full, key_id: 'key_2' }, old: full },
      }
    }
    return { status: 201, value: { key: 'clk_new', ...JSON.parse(body) } }
  }

  private admin(method: string, url: URL, body: string): Answer {
    if (url.pathname === '/import/clicks') return this.importClicks(body)
    if (url.pathname === '/v1/ads')
      return method === 'GET' ? this.listAds(url) : this.upsertAds(body)
    if (url.pathname === '/v1/ads:bulk') return this.upsertAds(body, true)
    if (url.pathname === '/v1/freshness') return this.freshness()
    if (url.pathname === '/v1/rebuilds') return { status: 202, value: { run_id: 'run-1' } }
    if (url.pathname === '/v1/rebuilds/run-1') {
      this.runPolls += 1
      const status = this.runPolls < 3 ? 'running' : 'done'
      return ok({ run_id: 'run-1', status, hours: 2, hours_done: Math.min(2, this.runPolls - 1) })
    }
    if (url.pathname === '/v1/reconciliation') return ok(reconciled)
    if (url.pathname === '/v1/status') return ok({ layers: { ingest: [{ url: this.url }] } })
    if (url.pathname.startsWith('/v1/keys')) return this.keys(method, url, body)
    if (url.pathname === '/v1/audit') return ok({ data: auditEntries, next: null })
    if (url.pathname === '/v1/rules' && method === 'POST') {
      return { status: 400, value: problem('invalid-rule-set', 'rules[0].id') }
    }
    if (['/v1/publishers', '/v1/placements'].includes(url.pathname)) return ok(JSON.parse(body))
    return { status: 404, value: problem('not-found') }
  }

  private answer(
    method: string,
    url: URL,
    headers: IncomingMessage['headers'],
    body: string,
  ): Answer {
    const [, first, second] = url.pathname.split('/')
    if (first === 'livez') return ok({ status: 'ok' })
    if (first === 'click') {
      return this.ads.has(decodeURIComponent(second ?? ''))
        ? { status: 302, value: undefined, headers: { location: 'https://example.com/' } }
        : { status: 404, value: problem('unknown-ad') }
    }
    if (url.pathname === '/track/click') return { status: 200, value: undefined }
    if (url.pathname === '/track/click_event') return ok({ accepted: true, event_id: 'x' })
    if (first === 'placements') {
      const ad = [...this.ads.keys()][0]
      return ok({ click_url: `https://public.example/click/${ad}?sig=s&kid=k1` })
    }
    if (headers.authorization !== `Bearer ${this.key}`) {
      return { status: 401, value: problem('unauthorized') }
    }
    return this.admin(method, url, body)
  }

  private handle(hit: Hit, response: ServerResponse): void {
    this.hits.push(hit)
    const url = new URL(hit.path, 'http://fake')
    const fault = url.pathname === '/import/clicks' ? this.faults.shift() : undefined
    if (fault === '503' || fault === '429') {
      const code = fault === '503' ? 'not-accepted' : 'too-many-requests'
      response.writeHead(Number(fault), { 'content-type': 'application/problem+json' })
      response.end(JSON.stringify(problem(code)))
      return
    }
    const { status, value, headers = {} } = this.answer(hit.method, url, hit.headers, hit.body)
    if (fault === 'lost-answer') {
      response.destroy()
      return
    }
    const type = value === undefined ? 'image/gif' : 'application/json'
    response.writeHead(status, { 'content-type': type, ...headers })
    response.end(value === undefined ? undefined : JSON.stringify(value))
  }

  async listen(t: ExecutionContext): Promise<this> {
    const server = createServer((request, response) => {
      const parts: Buffer[] = []
      request.on('data', (part: Buffer) => parts.push(part))
      request.on('end', () => {
        const { method = '', url: path = '', headers } = request
        this.handle({ method, path, headers, body: Buffer.concat(parts).toString() }, response)
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    t.teardown(() => {
      server.closeAllConnections()
      server.close()
    })
    return this
  }

  addAd(adId: string, advertiserId = 'adv'): void {
    this.ads.set(adId, {
      ad_id: adId,
      advertiser_id: advertiserId,
      target_url: 'https://real.example/',
    })
  }
}

export const startFake = (t: ExecutionContext): Promise<FakeInstance> =>
  new FakeInstance().listen(t)
