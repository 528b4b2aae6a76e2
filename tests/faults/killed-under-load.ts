// kill -9 of the whole instance at random moments under load, started again on the same data each
// time. Every click whose client got its answer is counted exactly once, in speed and in batch.
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
  untilShipped,
  viewsByHour,
} from '../support/conservation.ts'
import { lastRuns } from '../support/last-runs.ts'
import { startLayers } from '../support/layers.ts'
import { askServing, ingestUrlOf, servingUrlOf, startProgram } from '../support/processes.ts'
import { seed } from '../support/random-clicks.ts'
import type { TestStack } from '../support/stacks.ts'

const kills = Number(process.env.FAULT_KILLS ?? 3)
const upMsMax = 2_500
const dayMs = 24 * hourMs

interface Totals {
  readonly gross_click_count: number
  readonly click_count: number
  readonly duplicate_click_count: number
  readonly fraudulent_click_count: number
}

interface Report {
  readonly meta: { readonly boundary: string }
  readonly data: readonly Totals[]
}

export function testKilledUnderLoad(test: TestFn, stack: TestStack): void {
  test(`killed ${kills} times under load: every accepted click counts exactly once`, async (t) => {
    t.timeout(120_000 + kills * 60_000)
    t.log(`seed ${seed}`)
    const random = seededRandom(seed)
    const key = `test-${randomUUID()}`
    const env = {
      ...stack.env(t),
      CLICKLEDGER_ADMIN_KEY: key,
      CLICKLEDGER_ARCHIVE_INTERVAL: 'PT0.3S',
      CLICKLEDGER_SEAL_INTERVAL: 'PT0.2S',
      CLICKLEDGER_WAL_SEGMENT_BYTES: '64KiB', // many segments: kills fall on their changes too
      CLICKLEDGER_LATENESS: 'PT2H', // this hour is sealed by the second part of the test
    }
    const started = Date.now()
    const load = startLoad({ random, clients: 24, pauseMs: 20, importKey: key })
    const recoveryMs: number[] = []

    const start = async () => {
      const from = performance.now()
      const program = startProgram(t, 'start', env)
      const ingestUrl = await ingestUrlOf(program)
      return { program, ingestUrl, tookMs: performance.now() - from }
    }
    let running = await start()
    await askServing(await servingUrlOf(running.program), key, '/v1/ads', loadAds)

    for (let kill = 1; kill <= kills; kill++) {
      load.target = running.ingestUrl
      const before = load.ledger.accepted.size
      await until(() => load.ledger.accepted.size > before, {
        what: `clicks are accepted after ${kill - 1} kills`,
      })
      await pause(random() * upMsMax)
      t.true(running.program.isRunning, running.program.stderr.slice(-4_000))
      await running.program.end('SIGKILL')
      if (random() < 0.3) {
        // Killed again while it starts.
        const program = startProgram(t, 'start', env)
        await pause(random() * upMsMax)
        await program.end('SIGKILL')
      }
      running = await start()
      recoveryMs.push(running.tookMs)
    }
    load.target = running.ingestUrl
    const after = load.ledger.accepted.size
    await until(() => load.ledger.accepted.size > after + 50, {
      what: 'clicks are accepted after the last kill',
    })
    await load.stop()

    const settings = readSettings(env)
    await untilShipped(running.ingestUrl)
    await untilJudged(settings)
    const { raw, judged, figures } = await checkConservation(t, settings, load.ledger)

    // What an advertiser sees: speed above the boundary, rebuilt hours below it.
    const servingUrl = await servingUrlOf(running.program)
    const totals = async (from: number, to: number): Promise<Report> => {
      const query = new URLSearchParams({
        start_time: new Date(from).toISOString(),
        end_time: new Date(to).toISOString(),
        granularity: 'all',
      })
      return askServing(servingUrl, key, `/v1/reports/clicks/timeseries?${query}`)
    }
    const boundary = Date.parse((await totals(started, started + hourMs)).meta.boundary)
    const countedIn = (from: number, to: number): Totals => {
      const clicks = judged.filter((c) => c.event_time >= from && c.event_time < to)
      const count = (status: string) => clicks.filter((c) => c.status === status).length
      return {
        gross_click_count: clicks.length,
        click_count: count('valid'),
        duplicate_click_count: count('duplicate'),
        fraudulent_click_count: count('invalid'),
      }
    }
    for (const [from, to] of [
      [boundary, hourOf(Date.now()) + hourMs],
      [hourOf(started) - 2 * dayMs, boundary],
    ] as const) {
      const expected = countedIn(from, to)
      let seen: Report | undefined
      const isThere = async () => {
        seen = await totals(from, to)
        const [row] = seen.data
        return row?.gross_click_count === expected.gross_click_count ? row : undefined
      }
      const what = () => `${JSON.stringify(expected)}; last ${JSON.stringify(seen)}`
      const row = await until(isThere, { everyMs: 100, what }).catch(async (error: Error) => {
        const status = JSON.stringify(await askServing(servingUrl, key, '/v1/status'))
        throw new Error(`${error.message}; runs ${await lastRuns(settings)}; status ${status}`)
      })
      t.like(row, expected)
    }
    t.deepEqual(await running.program.end('SIGTERM'), { code: 0, signal: null })

    // Two hours later: sealed, and batch is the naive definition over all that was ever received.
    const layers = await startLayers(
      { ...env, CLICKLEDGER_LATENESS: 'PT10M' },
      Date.now() + 2 * hourMs,
    )
    t.teardown(() => layers.close())
    const end = hourOf(Date.now()) + hourMs
    await layers.sealed(end)
    const range = { start: hourOf(started) - 2 * dayMs, end, boundary: end }
    checkCounts(t, await viewsByHour(layers.olap, range), naiveByHour(raw), stack.uniquesError)

    const sorted = recoveryMs.sort((a, b) => a - b).map(Math.round)
    const recovery = { medianMs: sorted[sorted.length >> 1], maxMs: sorted[sorted.length - 1] }
    t.log(JSON.stringify({ kills, ...figures, recovery }))
  })
}
