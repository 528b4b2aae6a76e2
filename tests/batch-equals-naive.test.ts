// The whole way without HTTP: clicks in the log, judged, archived, sealed, rebuilt. Batch must be
// the naive definition over everything ever received, however late and however often it came.
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { judgeNaively } from '#core/rules/naive.ts'
import { defaultRuleSet } from '#core/rules/rule-set.ts'
import { until } from '#platform/wait.ts'
import type { ArchivedClick, RawClick } from '#schemas/fields.ts'
import { rawFields } from '#schemas/fields.ts'
import { hourMs } from '#schemas/paths.ts'
import { scratchDir } from './support/contract.ts'
import { type Layers, startLayers } from './support/layers.ts'
import { randomClicks, seed } from './support/random-clicks.ts'

const start = Date.UTC(2026, 2, 1, 10)

/** Random clicks in [from, from + spanMs), received when they happened. */
function clicksIn(from: number, spanMs: number, salt: number): RawClick[] {
  const clicks = fc.sample(randomClicks({ spanMs, ids: 100_000, max: 300 }), {
    numRuns: 80,
    seed: seed + salt,
  })
  return clicks.flat().map((click, i) => ({
    ...click,
    event_id: `${salt}-${i}`,
    event_time: from + click.event_time,
    received_time: from + click.event_time,
  }))
}

/** What is in clicks.raw, with positions, as the naive judge needs it. */
async function rawClicks({ log }: Layers): Promise<ArchivedClick[]> {
  const { decodeRawClick } = await import('#schemas/avro.ts')
  const all: ArchivedClick[] = []
  for (const [partition, end] of (await log.endOffsets('clicks.raw')).entries()) {
    const reader = await log.reader('clicks.raw', partition, 0)
    while (reader.position < end) {
      for (const { value, offset } of await reader.read(5_000, 1_000)) {
        const decoded = decodeRawClick(value)
        if (decoded.kind !== 'click') continue
        all.push({ ...decoded.click, raw_partition: partition, raw_offset: offset })
      }
    }
  }
  return all
}

async function compareWithNaive(t: ExecutionContext, layers: Layers, until: number) {
  const clicks = await rawClicks(layers)
  const verdicts = judgeNaively(defaultRuleSet, clicks)
  const expected = new Map<string, number>()
  clicks.forEach((click, i) => {
    const status = verdicts[i]?.status ?? 'copy'
    const key = `${Math.floor((click.event_time - start) / hourMs)} ${click.ad_id} ${status}`
    if (status !== 'copy') expected.set(key, (expected.get(key) ?? 0) + 1)
  })
  const rows = await layers.olap.query({
    start: start - 10 * hourMs,
    end: until,
    boundary: until,
    granularity: 'hour',
    timeZone: 'UTC',
    dimensions: ['ad_id'],
    filters: [],
    metrics: ['click_count', 'duplicate_click_count', 'fraudulent_click_count'],
    limit: 10_000,
    offset: 0,
  })
  const got = new Map<string, number>()
  for (const { time, dimensions, metrics } of rows) {
    const hour = Math.floor((time - start) / hourMs)
    const put = (status: string, n: number | undefined) =>
      n ? got.set(`${hour} ${dimensions.ad_id} ${status}`, n) : undefined
    put('valid', metrics.click_count)
    put('duplicate', metrics.duplicate_click_count)
    put('invalid', metrics.fraudulent_click_count)
  }
  t.deepEqual(Object.fromEntries([...got].sort()), Object.fromEntries([...expected].sort()))
}

test('batch equals naive: sealed hours, late clicks, copies, an empty hour', async (t) => {
  t.log(`seed ${seed}`)
  t.true(rawFields.length > 10)
  const layers = await startLayers(scratchDir(t), start + 5 * 60_000)
  t.teardown(() => layers.close())
  const first = clicksIn(start, 2 * hourMs, 1)
  await layers.append(first)
  await layers.judged()
  layers.clock.advance(4 * hourMs)
  await layers.sealed(start + 3 * hourMs)
  await compareWithNaive(t, layers, start + 3 * hourMs)

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
  await until(clean, { timeoutMs: 60_000, what: 'no hour is dirty' })
  await compareWithNaive(t, layers, start + 5 * hourMs)

  // One late click that shares no key with any other: the hours after it have nothing to change.
  const before = await publications(layers)
  const [only] = clicksIn(start, hourMs, 9)
  if (!only) return t.fail('no click made')
  const alone = { impression_id: 'alone', visitor: 'alone', ip_hash: 'alone', marks: '' }
  await layers.append([{ ...only, ...alone, event_id: 'alone', event_time: start + 1_000 }])
  await layers.rebuild.startRebuild({ reason: 'test' })
  await until(clean, { timeoutMs: 60_000, what: 'no hour is dirty' })
  const after = await publications(layers)
  t.not(after.get(start), before.get(start), 'the hour of the late click is rebuilt')
  t.is(after.get(start + hourMs), before.get(start + hourMs), 'the next one is not')
  await compareWithNaive(t, layers, start + 5 * hourMs)
})

/** Run that each hour's numbers come from. */
async function publications({ catalogue }: Layers): Promise<Map<number, string>> {
  const rows = await catalogue.query<{ hour: number; run_id: string }>(
    'SELECT hour, run_id FROM published_hours',
  )
  return new Map(rows.map((row) => [Number(row.hour), row.run_id]))
}
