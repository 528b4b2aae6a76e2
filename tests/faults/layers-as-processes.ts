// Each layer as a process of its own on one data directory; each is killed in turn under load and
// started again. The others go on, and every accepted click counts exactly once.
import { randomUUID } from 'node:crypto'
import type { TestFn } from 'ava'
import { readSettings } from '#platform/config.ts'
import { pause, until } from '#platform/wait.ts'
import { hourMs, hourOf } from '#schemas/paths.ts'
import { loadAds, seededRandom, startLoad } from '../support/click-load.ts'
import { checkCounts } from '../support/compare.ts'
import {
  checkConservation,
  naiveByHour,
  untilJudged,
  viewsByHour,
} from '../support/conservation.ts'
import { startLayers } from '../support/layers.ts'
import {
  askServing,
  type Command,
  ingestUrlOf,
  type Program,
  servingUrlOf,
  startProgram,
} from '../support/processes.ts'
import { seed } from '../support/random-clicks.ts'
import type { TestStack } from '../support/stacks.ts'

const layers = ['serve', 'ingest', 'speed', 'archive'] as const satisfies readonly Command[]
type Layer = (typeof layers)[number]
const upMsMax = 1_500
const deadline = { timeoutMs: 90_000, everyMs: 50 }

interface Status {
  readonly boundary: string
  readonly layers: Record<string, readonly { readonly node: string }[]>
}

export function testLayersAsProcesses(test: TestFn, stack: TestStack): void {
  test('layers as processes, each killed in turn: every accepted click counts exactly once', async (t) => {
    t.timeout(300_000)
    t.log(`seed ${seed}`)
    const random = seededRandom(seed)
    const key = `test-${randomUUID()}`
    const env = {
      ...stack.env(t),
      CLICKLEDGER_ADMIN_KEY: key,
      CLICKLEDGER_ARCHIVE_INTERVAL: 'PT0.3S',
      CLICKLEDGER_SEAL_INTERVAL: 'PT0.2S',
      CLICKLEDGER_LATENESS: 'PT2H', // this hour is sealed by the second part of the test
    }
    const settings = readSettings(env)
    const began = Date.now()
    const load = startLoad({ random, clients: 8, pauseMs: 40, importKey: key })
    t.teardown(() => load.stop())
    // All at once, as a supervisor would: none may depend on another being first.
    const running = Object.fromEntries(
      layers.map((layer) => [layer, startProgram(t, layer, env)]),
    ) as Record<Layer, Program>
    await askServing(await servingUrlOf(running.serve), key, '/v1/ads', loadAds)
    load.target = await ingestUrlOf(running.ingest)

    const untilAccepted = async (more: number, why: string) => {
      const before = load.ledger.accepted.size
      const what = `clicks are accepted ${why}`
      await until(() => load.ledger.accepted.size >= before + more, { ...deadline, what })
    }
    await untilAccepted(50, 'at first')

    for (const layer of layers) {
      await pause(random() * upMsMax)
      await running[layer].end('SIGKILL')
      if (layer !== 'ingest') await untilAccepted(50, `while ${layer} is down`)
      running[layer] = startProgram(t, layer, env)
      if (layer === 'ingest') load.target = await ingestUrlOf(running.ingest)
      await untilAccepted(50, `after ${layer} came back`)
      for (const other of layers) {
        t.true(running[other].isRunning, `${other}: ${running[other].stderr.slice(-2_000)}`)
      }
    }
    await load.stop()

    const isShipped = async () => {
      const answer = await fetch(`${load.target}/readyz`)
      return ((await answer.json()) as { wal_depth_clicks: number }).wal_depth_clicks === 0
    }
    await until(isShipped, { ...deadline, what: 'the write-ahead log is shipped' })
    await untilJudged(settings)
    const { raw, judged, figures } = await checkConservation(t, settings, load.ledger)

    const servingUrl = await servingUrlOf(running.serve)
    const query = new URLSearchParams({
      start_time: new Date(hourOf(began) - 48 * hourMs).toISOString(),
      end_time: new Date(hourOf(Date.now()) + hourMs).toISOString(),
      granularity: 'all',
    })
    const gross = async () => {
      const path = `/v1/reports/clicks/timeseries?${query}`
      const { data } = await askServing<{ data: { gross_click_count: number }[] }>(
        ...([servingUrl, key, path] as const),
      )
      return data[0]?.gross_click_count
    }
    await until(async () => (await gross()) === judged.length, {
      ...{ ...deadline, what: `the report counts ${judged.length} clicks` },
    })
    const status = await askServing<Status>(servingUrl, key, '/v1/status')
    t.deepEqual(Object.keys(status.layers).sort(), ['archive', 'ingest', 'serving', 'speed'])
    for (const layer of layers) {
      t.deepEqual(await running[layer].end('SIGTERM'), { code: 0, signal: null }, layer)
    }

    const later = await startLayers(
      { ...env, CLICKLEDGER_LATENESS: 'PT10M' },
      Date.now() + 2 * hourMs,
    )
    t.teardown(() => later.close())
    const end = hourOf(Date.now()) + hourMs
    await later.sealed(end)
    const range = { start: hourOf(began) - 48 * hourMs, end, boundary: end }
    checkCounts(t, await viewsByHour(later.olap, range), naiveByHour(raw), stack.uniquesError)
    t.log(JSON.stringify(figures))
  })
}
