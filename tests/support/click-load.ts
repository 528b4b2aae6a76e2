// Clicks over HTTP from many users at once, and a ledger of what each client was told. Each click
// has an impression of its own, so that a click whose client got no answer is recognised in the log.
import { randomUUID } from 'node:crypto'
import { Agent, type Dispatcher, request } from 'undici'
import { pause } from '#platform/wait.ts'

export const loadAds = [
  { ad_id: 'ad-1', advertiser_id: 'adv-1', target_url: 'https://example.com/1' },
  { ad_id: 'ad-2', advertiser_id: 'adv-1', target_url: 'https://example.com/2' },
  { ad_id: 'ad-3', advertiser_id: 'adv-2', target_url: 'https://example.com/3' },
] as const

const browser = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
const robot = 'curl/8.5.0'
const hourMs = 3_600_000

export interface LoadLedger {
  /** Event id -> impression, of clicks whose clients were told that they count. */
  readonly accepted: Map<string, string>
  /** Impressions of clicks whose clients were told that they do not count. */
  readonly refused: Set<string>
  /** Impressions of clicks whose clients got no answer. */
  readonly unanswered: Set<string>
  /** When the clients of live clicks (no imports) were told that they count, ms. */
  readonly acceptedAt: number[]
  /** Clicks that were sent, whatever came of them. */
  sent: number
  /** Posts that were sent again, because no answer came. */
  retries: number
  /** Answers that no client should see. */
  readonly strange: string[]
}

export interface Load {
  readonly ledger: LoadLedger
  /** Where to send; undefined: wait. */
  target: string | undefined
  /** How long an answer took, ms, at this share of all (0.99: all but one in a hundred). */
  latency(share: number, of?: 'redirect' | 'bare'): number
  /** What was so far does not count in `latency`: programs that have just started are slow. */
  forgetLatency(): void
  /** Stops after the running requests. */
  stop(): Promise<void>
}

export interface LoadOptions {
  /** In [0, 1); seeded. */
  readonly random: () => number
  readonly clients: number
  /** Pause of a client after each request, at most. */
  readonly pauseMs: number
  /** With it, clicks of yesterday are imported too. */
  readonly importKey?: string
  /** A server that answers at once, asked beside each redirect: what the machine itself takes. */
  readonly bare?: string
  /** Give up a post without an answer instead of sending it again until there is one. */
  readonly retriesMax?: number
}

type Answer = Pick<Dispatcher.ResponseData, 'statusCode' | 'headers'> & { readonly text: string }
/** `unsent`: nobody listened, so nothing can have been taken. */
type Sent = Answer | 'unsent' | 'unanswered'

interface PostResult {
  readonly accepted: boolean
  readonly event_id?: string
  readonly reason?: string
  /** Of a problem that is the answer to all. */
  readonly code?: string
}

/** Starts the clients. */
export function startLoad(options: LoadOptions): Load {
  const {
    random,
    clients,
    pauseMs,
    importKey,
    bare,
    retriesMax = Number.POSITIVE_INFINITY,
  } = options
  const ledger: LoadLedger = {
    accepted: new Map(),
    refused: new Set(),
    unanswered: new Set(),
    acceptedAt: [],
    sent: 0,
    retries: 0,
    strange: [],
  }
  const agent = new Agent({ connections: clients, pipelining: 1, headersTimeout: 60_000 })
  const stopping = new AbortController()
  const tookMs = { redirect: [] as number[], bare: [] as number[] }
  let target: string | undefined
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T
  const address = () => `10.${[0, 0, 0].map(() => Math.floor(random() * 256)).join('.')}`

  const send = async (path: string, init: Parameters<typeof request>[1]): Promise<Sent> => {
    if (!target) return 'unsent'
    try {
      const answer = await request(`${target}${path}`, { ...init, dispatcher: agent })
      const { statusCode, headers } = answer
      return { statusCode, headers, text: await answer.body.text() }
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED' ? 'unsent' : 'unanswered'
    }
  }

  const askBare = async (url: string): Promise<void> => {
    const from = performance.now()
    const { body } = await request(url, { dispatcher: agent })
    await body.dump()
    tookMs.bare.push(performance.now() - from)
  }

  const noteAccepted = (id: string, impression: string, isLive = true): void => {
    ledger.accepted.set(id, impression)
    if (isLive) ledger.acceptedAt.push(Date.now())
  }

  const noteGet = (impression: string, sent: Sent, status: number): void => {
    if (sent === 'unsent') return
    if (sent === 'unanswered') return void ledger.unanswered.add(impression)
    const id = sent.headers['x-click-id']
    if (sent.statusCode !== status) ledger.strange.push(`GET: ${sent.statusCode} ${sent.text}`)
    else if (typeof id === 'string') noteAccepted(id, impression)
    else ledger.refused.add(impression)
  }

  /** A redirect or a pixel; one in five users clicks twice, one in ten is a robot. */
  const get = async (): Promise<void> => {
    const { ad_id } = pick(loadAds)
    const isPixel = random() < 0.3
    const user = randomUUID()
    const headers = {
      'user-agent': random() < 0.1 ? robot : browser,
      'x-forwarded-for': address(),
    }
    for (let clicks = random() < 0.2 ? 2 : 1; clicks > 0; clicks--) {
      const impression = randomUUID()
      const query = `impression_id=${impression}&user_id=${user}`
      const path = isPixel ? `/track/click?ad_id=${ad_id}&${query}` : `/click/${ad_id}?${query}`
      const from = performance.now()
      ledger.sent++
      const sent = await send(path, { headers })
      if (!isPixel && typeof sent === 'object') tookMs.redirect.push(performance.now() - from)
      noteGet(impression, sent, isPixel ? 200 : 302)
      if (!isPixel && bare) await askBare(bare)
    }
  }

  const newClick = (more: object) => ({
    event_id: randomUUID(),
    ad_id: pick(loadAds).ad_id,
    impression_id: randomUUID(),
    user_id: randomUUID(),
    user_agent: browser,
    ...more,
  })

  const notePost = (
    clicks: readonly ReturnType<typeof newClick>[],
    { text }: Answer,
    mayBeTaken: boolean,
    isLive: boolean,
  ): void => {
    const body = JSON.parse(text) as { results?: PostResult[] } & PostResult
    const results = body.results ?? [body]
    clicks.forEach(({ event_id, impression_id }, i) => {
      const result = results[i]
      if (result?.accepted) noteAccepted(event_id, impression_id, isLive)
      else if (mayBeTaken) ledger.unanswered.add(impression_id)
      else if (result?.reason === 'not-accepted') ledger.refused.add(impression_id)
      // A key that this node has not seen yet, while the catalogue is away.
      else if (body.code === 'unavailable') ledger.refused.add(impression_id)
      else ledger.strange.push(`POST: ${text}`)
    })
  }

  /** Sends the same clicks until there is an answer, as a server that tracks clicks does. */
  const postAll = async (path: string, clicks: ReturnType<typeof newClick>[]): Promise<void> => {
    const value = path === '/import/clicks' ? { clicks } : clicks.length > 1 ? clicks : clicks[0]
    const headers = {
      'content-type': 'application/json',
      'x-forwarded-for': address(),
      ...(path === '/import/clicks' ? { authorization: `Bearer ${importKey}` } : {}),
    }
    let mayBeTaken = false
    ledger.sent += clicks.length
    for (let attempt = 0; attempt <= retriesMax && !stopping.signal.aborted; attempt++) {
      const sent = await send(path, { method: 'POST', headers, body: JSON.stringify(value) })
      if (typeof sent === 'object') {
        if (sent.statusCode === 200 || sent.statusCode === 503) {
          return notePost(clicks, sent, mayBeTaken, path !== '/import/clicks')
        }
        ledger.strange.push(`POST: ${sent.statusCode} ${sent.text}`)
        return
      }
      if (sent === 'unanswered') {
        mayBeTaken = true
        ledger.retries++
      }
      await pause(20, stopping.signal)
    }
    if (mayBeTaken) for (const click of clicks) ledger.unanswered.add(click.impression_id)
  }

  const post = () => {
    const ownTime = () => (random() < 0.5 ? { timestamp_ms: Date.now() } : {})
    const count = random() < 0.5 ? 1 : 1 + Math.floor(random() * 5)
    return postAll(
      '/track/click_event',
      Array.from({ length: count }, () => newClick(ownTime())),
    )
  }

  const importYesterday = () => {
    const at = () => Date.now() - 24 * hourMs - Math.floor(random() * 3 * hourMs)
    const clicks = Array.from({ length: 20 }, () =>
      newClick({ timestamp_ms: at(), ip_address: address() }),
    )
    return postAll('/import/clicks', clicks)
  }

  const client = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const kind = random()
      if (!target) await pause(10, stopping.signal)
      else if (kind < 0.6) await get()
      else if (kind < 0.98 || !importKey) await post()
      else await importYesterday()
      await pause(random() * pauseMs, stopping.signal)
    }
  }

  let stopped: Promise<void> | undefined
  const stop = async () => {
    stopping.abort()
    await running
    await agent.close()
  }
  const running = Promise.all(Array.from({ length: clients }, client))
  return {
    ledger,
    get target() {
      return target
    },
    set target(url) {
      target = url
    },
    forgetLatency() {
      tookMs.redirect.length = 0
      tookMs.bare.length = 0
    },
    latency(share, of = 'redirect') {
      const sorted = tookMs[of].toSorted((a, b) => a - b)
      return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
    },
    stop() {
      stopped ??= stop()
      return stopped
    },
  }
}

/** Mulberry32: a small generator that a printed seed repeats. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let x = Math.imul(state ^ (state >>> 15), state | 1)
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61)
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32
  }
}
