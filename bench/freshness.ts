// How long after its answer a click is in a report, with every layer running and other clicks
// coming in. Beside it, where the time goes: when the same click was on clicks.raw and on clicks.judged.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readSettings, type Settings } from '#platform/config.ts'
import type { EventLog } from '#platform/event-log/port.ts'
import { openEventLog } from '#platform/stack.ts'
import { pause, until } from '#platform/wait.ts'
import { decodeRawClick } from '#schemas/avro.ts'
import { topics } from '#schemas/topics.ts'
import { type RunningInstance, startAll } from '../cli/start.ts'
import { loadAds, runLoad } from './support/http-load.ts'
import { type BenchResult, milliseconds, printResult, quantile, ratio } from './support/report.ts'
import { serversOfEnv } from './support/servers-of-env.ts'

export interface FreshnessBenchOptions {
  readonly probes: number
  /** Other clicks a second. */
  readonly rate: number
}

export interface FreshnessBench {
  readonly result: BenchResult
  /** Probes that became visible, each counted exactly once. */
  readonly visible: number
}

const pollMs = 4
const deadline = { timeoutMs: 30_000, everyMs: pollMs }
const warmUpProbes = 3

/** Milliseconds from a probe's answer until it was seen, by place. */
interface Seen {
  readonly answered: number
  readonly raw: number
  readonly judged: number
  readonly report: number
}

/** Notes when each click is first on a topic. */
async function watch(
  log: EventLog,
  topic: string,
  idOf: (value: Uint8Array) => string,
  signal: AbortSignal,
): Promise<Map<string, number>> {
  const seen = new Map<string, number>()
  for (const [partition, end] of (await log.endOffsets(topic)).entries()) {
    const reader = await log.reader(topic, partition, end)
    const follow = async () => {
      while (!signal.aborted) {
        for (const { value } of await reader.read(1_000, 0)) {
          seen.set(idOf(value), performance.now())
        }
        await pause(pollMs, signal)
      }
      await reader.close()
    }
    void follow()
  }
  return seen
}

interface Probing {
  readonly instance: RunningInstance
  readonly key: string
  readonly raw: ReadonlyMap<string, number>
  readonly judged: ReadonlyMap<string, number>
}

async function probe({ instance, key, raw, judged }: Probing, ad: string): Promise<Seen> {
  const sent = performance.now()
  const response = await fetch(`${instance.ingestUrl}/click/${ad}`, { redirect: 'manual' })
  const answered = performance.now()
  const id = response.headers.get('x-click-id')
  if (response.status !== 302 || !id) throw new Error(`probe: answered ${response.status}`)
  const report = `${instance.servingUrl}/v1/ads/${ad}/metrics?granularity=minute&metrics=gross_click_count`
  const counted = await until(
    async () => {
      const answer = await fetch(report, { headers: { authorization: `Bearer ${key}` } })
      const { data } = (await answer.json()) as { data?: { gross_click_count: number }[] }
      if (!data) throw new Error(`report: answered ${answer.status}`)
      return data.reduce((sum, row) => sum + row.gross_click_count, 0)
    },
    { ...deadline, what: `${ad} is in the report` },
  )
  const now = performance.now()
  if (counted !== 1) throw new Error(`${ad}: one click, counted ${counted} times`)
  await until(() => raw.has(id) && judged.has(id), { ...deadline, what: 'the watchers saw it' })
  const since = (at: number | undefined) => Math.max(0, (at ?? Number.NaN) - answered)
  return {
    answered: answered - sent,
    raw: since(raw.get(id)),
    judged: since(judged.get(id)),
    report: now - answered,
  }
}

async function makeAds({ servingUrl }: RunningInstance, key: string, probes: number) {
  const ids = [
    ...Array.from({ length: loadAds }, (_, i) => `ad-${i}`),
    ...Array.from({ length: probes }, (_, i) => `probe-${i}`),
  ]
  const response = await fetch(`${servingUrl}/v1/ads`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(
      ids.map((ad_id) => ({ ad_id, advertiser_id: 'adv', target_url: 'https://shop.example/' })),
    ),
  })
  if (!response.ok) throw new Error(`ads: answered ${response.status} ${await response.text()}`)
}

const rawId = (value: Uint8Array): string => {
  const decoded = decodeRawClick(value)
  return decoded.kind === 'click' ? decoded.click.event_id : ''
}
const judgedId = (value: Uint8Array): string => JSON.parse(Buffer.from(value).toString()).event_id

async function measure(settings: Settings, { probes, rate }: FreshnessBenchOptions) {
  const key = settings.CLICKLEDGER_ADMIN_KEY
  const stopping = new AbortController()
  const { signal } = stopping
  await using open = new AsyncDisposableStack()
  const instance = await startAll(settings, { quiet: true })
  open.defer(() => instance.close())
  const log = await openEventLog(settings, Date.now)
  open.defer(() => log.close())
  await makeAds(instance, key, probes + warmUpProbes)
  const raw = await watch(log, topics.raw.name, rawId, signal)
  const judged = await watch(log, topics.judged.name, judgedId, signal)
  const port = Number(new URL(instance.ingestUrl).port)
  const load = async () => {
    while (!signal.aborted) await runLoad({ port, rate, connections: 4, seconds: 1 })
  }
  const loading = load()
  open.defer(async () => {
    stopping.abort()
    await loading
  })
  const seen: Seen[] = []
  for (let i = 0; i < probes + warmUpProbes; i++) {
    const one = await probe({ instance, key, raw, judged }, `probe-${i}`)
    if (i >= warmUpProbes) seen.push(one)
  }
  return seen
}

/** Starts every layer and measures. @throws Error where a probe is not counted exactly once */
export async function runFreshnessBench(options: FreshnessBenchOptions): Promise<FreshnessBench> {
  const dir = await mkdtemp(join(tmpdir(), 'clickledger-bench-'))
  try {
    const settings = readSettings({
      ...serversOfEnv(),
      CLICKLEDGER_DATA_DIR: dir,
      CLICKLEDGER_INGEST_PORT: '0',
      CLICKLEDGER_SERVING_PORT: '0',
      CLICKLEDGER_RATE_LIMIT: '0',
      CLICKLEDGER_ADMIN_KEY: `clk_bench_${crypto.randomUUID()}`,
      CLICKLEDGER_LOG_LEVEL: 'warn',
    })
    const seen = await measure(settings, options)
    const at = (place: keyof Seen, q: number) =>
      quantile(
        seen.map((one) => one[place]),
        q,
      )
    const show = (place: keyof Seen) =>
      `p50 ${milliseconds(at(place, 0.5))}, p95 ${milliseconds(at(place, 0.95))}`
    const figures = {
      'click sent to answered': show('answered'),
      'answered to on clicks.raw': show('raw'),
      'answered to on clicks.judged': show('judged'),
      'answered to in a report (aim: p95 under 500 ms)': show('report'),
      'report / judged, p50': ratio(at('report', 0.5), at('judged', 0.5)),
    }
    const name = `Freshness: ${seen.length} probes beside ${options.rate} other clicks a second`
    return { result: { name, figures }, visible: seen.length }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

if (import.meta.main) {
  const [probes = 100, rate = 200] = process.argv.slice(2).map(Number)
  printResult((await runFreshnessBench({ probes, rate })).result)
}
