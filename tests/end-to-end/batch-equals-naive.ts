// The whole way without HTTP: clicks in the log, judged, archived, sealed, rebuilt. Batch must be
// the naive definition over everything ever received, however late and however often it came.
import type { ExecutionContext, TestFn } from 'ava'
import { createLogger } from '#platform/log.ts'
import { until } from '#platform/wait.ts'
import { rawFields } from '#schemas/fields.ts'
import { hourMs } from '#schemas/paths.ts'
import { topics } from '#schemas/topics.ts'
import { runRebuild } from '../../batch-layer/rebuild/main.ts'
import { checkCounts } from '../support/compare.ts'
import { naiveByHour, readRawClicks, viewsByHour } from '../support/conservation.ts'
import { type Layers, startLayers } from '../support/layers.ts'
import { clicksIn, seed } from '../support/random-clicks.ts'
import type { TestStack } from '../support/stacks.ts'

const start = Date.UTC(2026, 2, 1, 10)

async function compareWithNaive(
  t: ExecutionContext,
  { log, olap }: Layers,
  until: number,
  { uniquesError }: TestStack,
) {
  const range = { start: start - 10 * hourMs, end: until, boundary: until }
  const clicks = (await readRawClicks(log)).filter((click) => click.event_time < until)
  checkCounts(t, await viewsByHour(olap, range), naiveByHour(clicks), uniquesError)
}

/** Run that each hour's numbers come from. */
async function publications({ catalogue }: Layers): Promise<Map<number, string>> {
  const rows = await catalogue.query<{ hour: number; run_id: string }>(
    'SELECT hour, run_id FROM published_hours',
  )
  return new Map(rows.map((row) => [Number(row.hour), row.run_id]))
}

export function testBatchEqualsNaive(test: TestFn, stack: TestStack): void {
  test('batch equals naive: sealed hours, late clicks, copies, an empty hour', async (t) => {
    t.log(`seed ${seed}`)
    t.true(rawFields.length > 10)
    const layers = await startLayers(stack.env(t), start + 5 * 60_000)
    t.teardown(() => layers.close())
    const first = clicksIn(start, 2 * hourMs, 1)
    await layers.append(first)
    await layers.judged()
    layers.clock.advance(4 * hourMs)
    await layers.sealed(start + 3 * hourMs)
    await compareWithNaive(t, layers, start + 3 * hourMs, stack)

    // Late clicks into sealed hours, a copy of everything, and clicks of a later hour.
    const late = clicksIn(start + hourMs / 2, hourMs, 2)
    await layers.append([...late, ...first, ...clicksIn(start + 3 * hourMs, hourMs, 3)])
    await layers.judged()
    layers.clock.advance(2 * hourMs)
    await layers.sealed(start + 5 * hourMs)
    const clean = async () => {
      const [row] = await layers.catalogue.query<{ n: number }>(
        `SELECT count(*) AS n FROM archive_hours a LEFT JOIN published_hours p ON p.hour = a.hour
         WHERE p.hour IS NULL OR p.archive_version < a.version`,
      )
      return Number(row?.n) === 0
    }
    await until(clean, { what: 'no hour is dirty' })
    await compareWithNaive(t, layers, start + 5 * hourMs, stack)

    // One late click that shares no key with any other: the hours after it have nothing to change.
    const before = await publications(layers)
    const [only] = clicksIn(start, hourMs, 9)
    if (!only) return t.fail('no click made')
    const alone = { impression_id: 'alone', visitor: 'alone', ip_hash: 'alone', marks: '' }
    await layers.append([{ ...only, ...alone, event_id: 'alone', event_time: start + 1_000 }])
    await layers.rebuild.startRebuild({ reason: 'test' })
    await until(clean, { what: 'no hour is dirty' })
    const after = await publications(layers)
    t.not(after.get(start), before.get(start), 'the hour of the late click is rebuilt')
    t.is(after.get(start + hourMs), before.get(start + hourMs), 'the next one is not')
    await compareWithNaive(t, layers, start + 5 * hourMs, stack)
  })

  test('hours sealed under older rules stay true to them when late clicks come', async (t) => {
    const layers = await startLayers(stack.env(t), start + 5 * 60_000)
    t.teardown(() => layers.close())
    const [only] = clicksIn(start, hourMs, 5)
    if (!only) return t.fail('no click made')
    const click = (id: string, at: number) => ({
      ...only,
      ...{ event_id: id, event_time: at, received_time: at, marks: '' },
      ...{ impression_id: 'seen', visitor: id, ip_hash: id },
    })
    await layers.append([click('second', start + hourMs + 1_000)])
    layers.clock.advance(4 * hourMs)
    await layers.sealed(start + 3 * hourMs)
    // The newest rules catch nothing; the hour was sealed under those that catch a repeated impression.
    await layers.catalogue.query(
      'INSERT INTO rule_sets (version, body, created_at, created_by) VALUES ($1, $2, 0, $3)',
      [2, JSON.stringify({ version: 2, rules: [] }), 'test'],
    )
    await layers.append([click('first', start + 1_000)])
    await layers.rebuild.startRebuild({ reason: 'test' })
    const duplicates = async () => {
      const totals = await layers.olap.hourTotals('batch', start + hourMs, start + 2 * hourMs)
      return totals[0]?.duplicate_click_count
    }
    await until(async () => (await duplicates()) === 1, {
      what: 'the later click is a duplicate of the late one',
    })
    t.is(await duplicates(), 1)
  })

  test('a future-dated click, idle partitions, a node that comes back a day later', async (t) => {
    const layers = await startLayers(stack.env(t), start + 5 * 60_000)
    t.teardown(() => layers.close())
    const [one] = clicksIn(start, hourMs, 7)
    if (!one) return t.fail('no click made')
    const click = (id: string, event_time: number, received_time = event_time) => ({
      ...one,
      ...{ event_id: id, event_time, received_time, marks: '', impression_id: id, visitor: id },
    })
    // One key, so one partition: the others stay empty and hold nothing up.
    await layers.append([click('now', start + 1_000), click('ahead', start + 5 * hourMs, start)])
    layers.clock.advance(3 * hourMs)
    await layers.sealed(start + 2 * hourMs)
    const published = async () => [...(await publications(layers)).keys()].sort()
    t.deepEqual(await published(), [start], 'the hour ahead waits for its time')
    layers.clock.advance(4 * hourMs)
    await layers.sealed(start + 6 * hourMs)
    t.deepEqual(await published(), [start, start + 5 * hourMs])

    // Its write-ahead log was not shipped when its hours were sealed without it.
    layers.clock.advance(24 * hourMs)
    await layers.append([click('late-1', start + 2_000), click('late-2', start + hourMs)])
    await layers.rebuild.startRebuild({ reason: 'test' })
    const counted = async () => {
      const asked = layers.olap.hourTotals('batch', start, start + 6 * hourMs)
      // An hour that had no clicks before is refused, not left out, while it is being loaded.
      const totals = await asked.catch(() => [])
      return totals.reduce((sum, hour) => sum + hour.gross_click_count, 0) === 4
    }
    await until(counted, { what: 'what came late is counted' })
    await compareWithNaive(t, layers, start + 6 * hourMs, stack)
  })

  test('partitions are added while clicks come: they are judged, archived, and sealed with', async (t) => {
    t.log(`seed ${seed}`)
    const env = { ...stack.env(t), CLICKLEDGER_PARTITIONS: '2' }
    const layers = await startLayers(env, start + 5 * 60_000)
    t.teardown(() => layers.close())
    await layers.append(clicksIn(start, hourMs, 21))
    await layers.judged()
    await stack.addPartitions(layers.settings, 5)
    const ends = () => layers.log.endOffsets(topics.raw.name)
    await until(async () => (await ends()).length === 5, { what: 'the new partitions are there' })
    await layers.append(clicksIn(start, 2 * hourMs, 22))
    t.true(
      (await ends()).slice(2).some((end) => end > 0),
      'they hold clicks',
    )
    layers.clock.advance(4 * hourMs)
    await layers.sealed(start + 2 * hourMs)
    await compareWithNaive(t, layers, start + 2 * hourMs, stack)
    await layers.judged()
    // Partitions are read side by side: in no order.
    const idsOf = (clicks: readonly { readonly event_id: string }[]) =>
      [...new Set(clicks.map(({ event_id }) => event_id))].sort()
    t.deepEqual(idsOf(await layers.readJudged()), idsOf(await readRawClicks(layers.log)))
  })

  test('two schedulers at once: one works, the other takes over when it ends', async (t) => {
    const layers = await startLayers(stack.env(t), start + 5 * 60_000)
    t.teardown(() => layers.close())
    const { settings, clock, olap, catalogue } = layers
    const logger = createLogger('test', 'silent')
    const other = { ...settings, CLICKLEDGER_NODE_ID: 'node-2' }
    const second = await runRebuild({ settings: other, clock, logger }, { olap })
    t.teardown(() => second.close())
    await layers.append(clicksIn(start, hourMs, 11))
    clock.advance(2 * hourMs)
    await layers.sealed(start + hourMs)
    const by = async () => {
      const rows = await catalogue.query<{ published_by: string }>(
        `SELECT published_by FROM boundaries WHERE reason = 'sealed by proof' ORDER BY boundary_id`,
      )
      return rows.map((row) => row.published_by)
    }
    t.deepEqual([...new Set(await by())], ['node-1'])
    const runs = await catalogue.query("SELECT run_id FROM runs WHERE kind = 'seal'")
    t.is(runs.length, 1)

    await layers.rebuild.close()
    clock.advance(hourMs)
    await layers.sealed(start + 2 * hourMs)
    t.is((await by()).at(-1), 'node-2')
    await compareWithNaive(t, layers, start + 2 * hourMs, stack)
  })
}
