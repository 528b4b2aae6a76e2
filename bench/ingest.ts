// Redirects per second, each on disk before it is answered, beside a bare node:http server that
// answers 302 and stores nothing. Both run in turns, because the machine's speed changes from one
// second to the next. The client shares the machine: absolute figures are floors.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { upsertAds } from '#platform/catalogue/ads.ts'
import { readSettings, type Settings } from '#platform/config.ts'
import { openCatalogue, openEventLog } from '#platform/stack.ts'
import { until } from '#platform/wait.ts'
import { topics } from '#schemas/topics.ts'
import { findInstance } from '../cli/session.ts'
import { type LoadResult, type LoadSpec, loadAds, runLoad } from './support/http-load.ts'
import { type BenchResult, milliseconds, printResult, quantile } from './support/report.ts'
import { type BenchServer, startServer } from './support/servers.ts'
import { serversOfEnv } from './support/servers-of-env.ts'

export interface IngestBenchOptions {
  /** Of measuring, for each server and each kind of load. */
  readonly seconds: number
  readonly connections: number
}

export interface IngestBench {
  readonly result: BenchResult
  readonly ratio: number
  /** Accepted answers minus records in the event log. */
  readonly lost: number
}

const rounds = 3
const warmSeconds = 4

interface Measured {
  readonly perSecond: number
  readonly cpuMicroseconds: number
  readonly loads: readonly LoadResult[]
}

/** Measures both servers. */
export async function runIngestBench({
  seconds,
  connections,
}: IngestBenchOptions): Promise<IngestBench> {
  const dir = await mkdtemp(join(tmpdir(), 'clickledger-bench-'))
  try {
    const settings = settingsIn(join(dir, 'alone'))
    await makeAds(settings)
    const bare = await startServer()
    const ingest = await startServer(settings)
    const turn = { connections, seconds: seconds / rounds }
    const warm = { connections, seconds: Math.min(1, seconds), rate: 0 }
    const all = [await runLoad({ ...warm, port: ingest.port })]
    await runLoad({ ...warm, port: bare.port })
    const full = await inTurns([bare, ingest], { ...turn, rate: 0 })
    const [bareFull, ingestFull] = full as [Measured, Measured]
    const half = { connections, seconds, rate: ingestFull.perSecond / 2, port: ingest.port }
    const atHalf = await runLoad(half)
    all.push(...ingestFull.loads, atHalf)
    await bare.close()
    await ingest.close()
    const lost = sum(all.map((l) => l.accepted)) - (await recordsIn(settings))
    const beside = await withEveryLayer(settingsIn(join(dir, 'all')), half)
    const others = sum([...all, beside].map((l) => l.others))
    return report({ bare: bareFull, ingest: ingestFull, atHalf, beside, lost, others })
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

const settingsIn = (dir: string): Settings =>
  readSettings({
    ...serversOfEnv(),
    CLICKLEDGER_DATA_DIR: dir,
    CLICKLEDGER_INGEST_PORT: '0',
    CLICKLEDGER_SERVING_PORT: '0',
    CLICKLEDGER_RATE_LIMIT: '0',
    CLICKLEDGER_LOG_LEVEL: 'warn',
  })

const cli = fileURLToPath(new URL('../cli/main.ts', import.meta.url))
const instanceEnv = [
  'NAMESPACE',
  'DATA_DIR',
  'INGEST_PORT',
  'SERVING_PORT',
  'RATE_LIMIT',
  'LOG_LEVEL',
] as const

/** The same load on a whole instance, a process of its own: judging, archiving and serving share the machine. */
async function withEveryLayer(settings: Settings, load: LoadSpec): Promise<LoadResult> {
  await makeAds(settings)
  const env = Object.fromEntries(
    instanceEnv.map((name) => [`CLICKLEDGER_${name}`, String(settings[`CLICKLEDGER_${name}`])]),
  )
  const child = spawn(process.execPath, [cli, 'start'], {
    env: { ...process.env, UV_THREADPOOL_SIZE: '16', ...env },
    stdio: 'ignore',
  })
  try {
    const { ingestUrl } = await until(() => findInstance(settings), {
      ...{ timeoutMs: 60_000, everyMs: 100, what: 'the instance is up' },
    })
    const port = Number(new URL(ingestUrl).port)
    // Layers that have just started are still being compiled: that is not what is measured.
    await runLoad({ ...load, port, seconds: Math.min(warmSeconds, load.seconds) })
    return await runLoad({ ...load, port })
  } finally {
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)

async function inTurns(
  servers: readonly BenchServer[],
  turn: { connections: number; seconds: number; rate: number },
): Promise<Measured[]> {
  const loads: LoadResult[][] = servers.map(() => [])
  const cpu = servers.map(() => 0)
  for (let round = 0; round < rounds; round++) {
    for (const [i, server] of servers.entries()) {
      const before = await server.cpuSeconds()
      loads[i]?.push(await runLoad({ ...turn, port: server.port }))
      cpu[i] = (cpu[i] ?? 0) + (await server.cpuSeconds()) - before
    }
  }
  return loads.map((list, i) => {
    const answers = sum(list.map((l) => l.answers))
    return {
      perSecond: (answers * 1000) / sum(list.map((l) => l.milliseconds)),
      cpuMicroseconds: ((cpu[i] ?? 0) * 1e6) / answers,
      loads: list,
    }
  })
}

interface Results {
  readonly bare: Measured
  readonly ingest: Measured
  readonly atHalf: LoadResult
  /** At the same load, with every layer running. */
  readonly beside: LoadResult
  readonly lost: number
  readonly others: number
}

function report({ bare, ingest, atHalf, beside, lost, others }: Results): IngestBench {
  const ratio = ingest.perSecond / bare.perSecond
  const rate = (m: Measured) =>
    `${Math.round(m.perSecond).toLocaleString('en')}/s  (${m.cpuMicroseconds.toFixed(1)} us of its thread each)`
  const latency = (loads: readonly LoadResult[]) => {
    const all = loads.flatMap((l) => [...l.latencies])
    return `p50 ${milliseconds(quantile(all, 0.5))}, p99 ${milliseconds(quantile(all, 0.99))}`
  }
  const achieved = (load: LoadResult) => Math.round((load.answers * 1000) / load.milliseconds)
  const figures = {
    'bare node:http, 302, stores nothing': rate(bare),
    'ingest, 302, durable before the answer': rate(ingest),
    'ratio (floor 0.40x, aim 0.80x)': `${ratio.toFixed(2)}x`,
    'bare, saturated': latency(bare.loads),
    'ingest, saturated': latency(ingest.loads),
    [`ingest at half of that (${achieved(atHalf)}/s), alone`]: latency([atHalf]),
    [`ingest at half of that (${achieved(beside)}/s), every layer running`]: latency([beside]),
    'clicks lost (accepted answers - records in the log)': String(lost),
    'answers other than 302': String(others),
  }
  return { result: { name: 'ingest', figures }, ratio, lost }
}

async function makeAds(settings: Settings): Promise<void> {
  const catalogue = await openCatalogue(settings)
  const rows = Array.from({ length: loadAds }, (_, i) => ({
    line: i,
    value: {
      ad_id: `ad-${i}`,
      advertiser_id: 'adv',
      target_url: 'https://shop.example/?c={click_id}',
    },
  }))
  await upsertAds(catalogue, Date.now(), rows)
  await catalogue.close()
}

async function recordsIn(settings: Settings): Promise<number> {
  const log = await openEventLog(settings, Date.now)
  const records = sum(await log.endOffsets(topics.raw.name))
  await log.close()
  return records
}

if (import.meta.main) {
  const [seconds = 9, connections = 128] = process.argv.slice(2).map(Number)
  const { result, lost } = await runIngestBench({ seconds, connections })
  printResult(result)
  if (lost !== 0) process.exitCode = 1
}
