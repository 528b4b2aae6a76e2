// Every layer as a process of its own, clicks coming in all the while, and at the end the whole
// reckoning: whatever a test did in between, every accepted click counts exactly once, in speed and
// in batch, and nobody had to lend a hand.
import { randomUUID } from 'node:crypto'
import { constants, setPriority } from 'node:os'
import type { ExecutionContext } from 'ava'
import { readSettings, type Settings } from '#platform/config.ts'
import { openEventLog } from '#platform/stack.ts'
import { until } from '#platform/wait.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { hourMs, hourOf } from '#schemas/paths.ts'
import { groups, topics } from '#schemas/topics.ts'
import { startServer } from '../../bench/support/servers.ts'
import { type Load, loadAds, seededRandom, startLoad } from './click-load.ts'
import { checkCounts } from './compare.ts'
import {
  checkConservation,
  naiveByHour,
  untilJudged,
  untilShipped,
  viewsByHour,
} from './conservation.ts'
import { scratchDir } from './contract.ts'
import { startLayers } from './layers.ts'
import {
  askServing,
  type Command,
  ingestUrlOf,
  type Program,
  servingUrlOf,
  startProgram,
} from './processes.ts'
import { seed } from './random-clicks.ts'
import type { TestStack } from './stacks.ts'

export const layerCommands = [
  'serve',
  'ingest',
  'speed',
  'archive',
] as const satisfies readonly Command[]
export type LayerCommand = (typeof layerCommands)[number]

const givesWay = constants.priority.PRIORITY_LOW
const deadline = { timeoutMs: 300_000, everyMs: 50 }
/** Accepted by programs that have just started. */
const warmUpClicks = 50
const daysBack = 2 * 24 * hourMs

export interface UnderLoad {
  readonly random: () => number
  readonly load: Load
  readonly settings: Settings
  readonly running: Readonly<Record<LayerCommand, Program>>
  /** Starts a layer again that was ended. */
  restart(layer: LayerCommand): Promise<void>
  /** Waits until that many more clicks are accepted. */
  untilAccepted(more: number, why: string): Promise<void>
  /** Waits until all that is accepted by now is in the log and judged. */
  untilJudged(why: string): Promise<void>
  /** Waits until a whole answer counts all that is accepted by now. */
  untilCounted(why: string): Promise<void>
  /** The report over everything that was sent, as one row or by hour, as serving answers it. */
  totals(granularity?: 'all' | 'hour'): Promise<Response>
  /**
   * Stops the load and holds the laws: conservation; the report counts each click once; the
   * processes end when told; later, sealed, batch is the naive definition.
   * @returns figures for the log
   */
  finish(): Promise<Readonly<Record<string, number>>>
}

export interface TotalsReport {
  readonly meta: { readonly degraded: boolean; readonly watermark: string | null }
  readonly data: readonly Readonly<Record<string, number>>[]
}

const latencyOf = ({ latency }: Load) => ({
  redirectP50Ms: Math.round(latency(0.5)),
  redirectP99Ms: Math.round(latency(0.99)),
  bareP99Ms: Math.round(latency(0.99, 'bare')),
})

function onlyAway(error: unknown): undefined {
  if (!(error instanceof ClickledgerError) || error.code !== 'unavailable') throw error
}

/** FAULT_WAL_DIR: a file system beside that of the servers, for the write-ahead log. */
function ownWalDir(t: ExecutionContext): Readonly<Record<string, string>> {
  const parent = process.env.FAULT_WAL_DIR
  return parent ? { CLICKLEDGER_WAL_DIR: scratchDir(t, parent) } : {}
}

/** Starts all layers at once, as a supervisor would, and the load. */
export async function startUnderLoad(
  t: ExecutionContext,
  stack: TestStack,
  more: Readonly<Record<string, string>> = {},
): Promise<UnderLoad> {
  t.log(`seed ${seed}`)
  stack.giveWay?.(t)
  const random = seededRandom(seed)
  const key = `test-${randomUUID()}`
  const env = {
    ...stack.env(t),
    CLICKLEDGER_ADMIN_KEY: key,
    CLICKLEDGER_ARCHIVE_INTERVAL: 'PT1S',
    CLICKLEDGER_SEAL_INTERVAL: 'PT0.2S',
    CLICKLEDGER_LATENESS: 'PT2H', // this hour is sealed when the load is over
    ...ownWalDir(t),
    ...more,
  }
  const settings = readSettings(env)
  const began = Date.now()
  const bareServer = await startServer()
  const bare = `http://127.0.0.1:${bareServer.port}`
  const load = startLoad({ random, clients: 8, pauseMs: 100, importKey: key, bare })
  t.teardown(() => load.stop().then(bareServer.close))
  const start = (layer: LayerCommand): Program => {
    const program = startProgram(t, layer, env)
    // Ingest has machines of its own where latency matters; on a shared one the others give way.
    if (layer !== 'ingest' && program.child.pid) setPriority(program.child.pid, givesWay)
    return program
  }
  const running = Object.fromEntries(layerCommands.map((layer) => [layer, start(layer)])) as Record<
    LayerCommand,
    Program
  >
  let servingUrl = await servingUrlOf(running.serve)
  await askServing(servingUrl, key, '/v1/ads', loadAds)
  load.target = await ingestUrlOf(running.ingest)

  const totals: UnderLoad['totals'] = (granularity = 'all') => {
    const query = new URLSearchParams({
      start_time: new Date(hourOf(began) - daysBack).toISOString(),
      end_time: new Date(hourOf(Date.now()) + hourMs).toISOString(),
      granularity,
    })
    const path = `/v1/reports/clicks/timeseries?${query}`
    return fetch(`${servingUrl}${path}`, { headers: { authorization: `Bearer ${key}` } })
  }
  /** Clicks that a report counts; undefined where it is refused or degraded. */
  const counted = async () => {
    const answer = await totals().catch(() => undefined) // serving itself may be down
    if (!answer?.ok) return undefined
    const { data, meta } = (await answer.json()) as TotalsReport
    return meta.degraded ? undefined : (data[0]?.gross_click_count ?? 0)
  }
  /** Undefined where the log is away. */
  const judgedSinceStart = async () => {
    const log = await openEventLog(settings, Date.now).catch(onlyAway)
    const committed = await log?.committedOffsets(groups.speed, topics.raw.name).catch(onlyAway)
    await log?.close()
    return committed?.reduce((sum, n) => sum + n, 0)
  }
  const checkSealed = async (raw: Parameters<typeof naiveByHour>[0]) => {
    const later = { ...env, CLICKLEDGER_LATENESS: 'PT10M' }
    const layers = await startLayers(later, Date.now() + 2 * hourMs)
    t.teardown(() => layers.close())
    const end = hourOf(Date.now()) + hourMs
    await layers.sealed(end)
    const range = { start: hourOf(began) - daysBack, end, boundary: end }
    checkCounts(t, await viewsByHour(layers.olap, range), naiveByHour(raw), stack.uniquesError)
  }

  return {
    ...{ random, load, settings, running, totals },
    async restart(layer) {
      running[layer] = start(layer)
      if (layer === 'ingest') load.target = await ingestUrlOf(running.ingest)
      if (layer === 'serve') servingUrl = await servingUrlOf(running.serve)
    },
    async untilAccepted(count, why) {
      const before = load.ledger.accepted.size
      const what = `clicks are accepted ${why}`
      await until(() => load.ledger.accepted.size >= before + count, { ...deadline, what })
      if (before < warmUpClicks) load.forgetLatency()
    },
    async untilJudged(why) {
      const accepted = load.ledger.accepted.size
      const isJudged = async () => ((await judgedSinceStart()) ?? 0) >= accepted
      const what = `all is judged ${why}`
      await until(isJudged, { ...deadline, everyMs: 200, what }).catch((error: Error) => {
        throw new Error(`${error.message}; speed said ${running.speed.stderr.slice(-4_000)}`)
      })
    },
    async untilCounted(why) {
      const accepted = load.ledger.accepted.size
      const isCounted = async () => ((await counted()) ?? 0) >= accepted
      await until(isCounted, { ...deadline, everyMs: 200, what: `all is counted ${why}` })
    },
    async finish() {
      await load.stop()
      await untilShipped(String(load.target))
      await untilJudged(settings)
      const { raw, judged, figures } = await checkConservation(t, settings, load.ledger)
      const isCounted = async () => (await counted()) === judged.length
      await until(isCounted, { ...deadline, what: `the report counts ${judged.length} clicks` })
      const status = await askServing<{ layers: object }>(servingUrl, key, '/v1/status')
      t.deepEqual(Object.keys(status.layers).sort(), ['archive', 'ingest', 'serving', 'speed'])
      for (const layer of layerCommands) {
        t.true(running[layer].isRunning, `${layer}: ${running[layer].stderr.slice(-2_000)}`)
        t.deepEqual(await running[layer].end('SIGTERM'), { code: 0, signal: null }, layer)
      }
      await checkSealed(raw)
      return { ...figures, ...latencyOf(load) }
    },
  }
}
