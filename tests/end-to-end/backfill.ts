// Backfills through the API, as an engineer does them: planned, looked at, approved, taken back. Reports
// must be the naive definition under the rules in force for their hours, before and after, and the record
// of what changed must explain the difference to the last click.
import type { ExecutionContext, TestFn } from 'ava'
import { partitionKey } from '#core/identity.ts'
import { defaultRuleSetJson, parseRuleSet } from '#core/rules/rule-set.ts'
import { createClock } from '#platform/clock.ts'
import { openEventLog, openObjectStore } from '#platform/stack.ts'
import { until } from '#platform/wait.ts'
import { encodeRawClick } from '#schemas/avro.ts'
import type { RawClick } from '#schemas/fields.ts'
import { hourMs } from '#schemas/paths.ts'
import { topics } from '#schemas/topics.ts'
import type { BackfillRun } from '../../cli/backfill.ts'
import type { HourCounts } from '../support/compare.ts'
import { naiveByHour, readRawClicks } from '../support/conservation.ts'
import { startInstance, type TestInstance } from '../support/instance.ts'
import { clicksIn, seed } from '../support/random-clicks.ts'
import type { TestStack } from '../support/stacks.ts'

const start = Date.UTC(2026, 2, 1, 10)
const hours = 3
const end = start + hours * hourMs
const poll = { everyMs: 50 }
const iso = (time: number) => new Date(time).toISOString()
export const range = { from: iso(start), to: iso(end) }
/** Catches nothing but a repeated impression: so most verdicts change. */
export const triedRules = defaultRuleSetJson.rules.filter(({ id }) => id === 'repeat-impression')
export const tried = parseRuleSet({ version: 2, rules: triedRules })

interface Restatement {
  readonly ad_id: string
  readonly hour: string
  readonly run_id: string
  readonly reason: string
  readonly before: Record<string, number>
  readonly after: Record<string, number>
}

export interface Bench {
  readonly instance: TestInstance
  /** Counts per ad and hour as the API reports them. */
  report(): Promise<HourCounts>
  expected(ruleSet?: typeof tried): Promise<HourCounts>
  /** Waits until the run is in this state. */
  reaches(runId: string, status: string): Promise<BackfillRun>
  append(clicks: readonly RawClick[]): Promise<void>
  restatements(): Promise<Restatement[]>
}

export async function openBench(
  t: ExecutionContext,
  stack: Pick<TestStack, 'env'>,
): Promise<Bench> {
  t.log(`seed ${seed}`)
  const clock = createClock(start + 5 * 60_000 - Date.now())
  const env = { CLICKLEDGER_SEAL_INTERVAL: 'PT0.2S', ...stack.env(t) }
  const instance = await startInstance(t, env, clock)
  const log = await openEventLog(instance.settings, clock.now)
  t.teardown(() => log.close())
  const { ask } = instance
  const append = (clicks: readonly RawClick[]) =>
    log.append(
      topics.raw.name,
      clicks.map((click) => ({
        key: partitionKey(click.ad_id, click.ip_hash),
        value: encodeRawClick(click),
        timestamp: click.received_time,
      })),
    )
  await append(clicksIn(start, hours * hourMs, 1))
  clock.advance((hours + 1) * hourMs)
  const isSealed = async () =>
    Date.parse((await ask<{ boundary: string }>('/v1/boundary')).boundary) >= end
  await until(isSealed, { ...poll, what: 'the hours are sealed' })
  return {
    ...{ instance, append },
    async report() {
      const query = new URLSearchParams({
        ...{ start_time: range.from, end_time: range.to, granularity: 'hour', dimensions: 'ad_id' },
        metrics: 'gross_click_count,click_count,duplicate_click_count,fraudulent_click_count',
      })
      const { data } = await ask<{ data: Record<string, number | string>[] }>(
        `/v1/reports/clicks/timeseries?${query}`,
      )
      const rows = data.filter((row) => row.gross_click_count !== 0)
      return Object.fromEntries(
        rows.map((row) => [
          `${iso(Date.parse(String(row.time)))} ${row.ad_id}`,
          {
            gross: Number(row.gross_click_count),
            valid: Number(row.click_count),
            duplicate: Number(row.duplicate_click_count),
            invalid: Number(row.fraudulent_click_count),
          },
        ]),
      )
    },
    async expected(ruleSet) {
      const clicks = (await readRawClicks(log)).filter((click) => click.event_time < end)
      const counts = naiveByHour(clicks, ruleSet)
      return Object.fromEntries(
        Object.entries(counts).map(([key, { visitors: _, ...rest }]) => [key, rest]),
      ) as HourCounts
    },
    async reaches(runId, status) {
      const what = `run ${runId} is ${status}`
      return until(
        async () => {
          const run = await ask<BackfillRun>(`/v1/backfills/${runId}`)
          if (run.status === 'failed' && status !== 'failed') {
            throw new Error(JSON.stringify(run.result))
          }
          return run.status === status ? run : undefined
        },
        { ...poll, what },
      )
    },
    restatements: async () =>
      (await ask<{ data: Restatement[] }>('/v1/restatements?limit=10000')).data,
  }
}

const statusOf = (error: Error) => Number(/: (\d{3}) /.exec(error.message)?.[1])
const codeOf = (error: Error) => /"code":"([^"]+)"/.exec(error.message)?.[1]

/** The record of a run, as the change per ad and hour. */
function changesOf(list: readonly Restatement[], runId: string): Record<string, number> {
  const changes = new Map<string, number>()
  for (const row of list.filter((one) => one.run_id === runId)) {
    const key = `${iso(Date.parse(row.hour))} ${row.ad_id}`
    const change = (row.after.click_count ?? 0) - (row.before.click_count ?? 0)
    changes.set(key, (changes.get(key) ?? 0) + change) // an ad may be in two advertisers' clicks here
  }
  return Object.fromEntries([...changes].filter(([, change]) => change !== 0))
}

/** Asks for the report without a pause while the work goes on. @returns all answers */
async function hammered(bench: Bench, work: () => Promise<unknown>): Promise<HourCounts[]> {
  const answers: HourCounts[] = []
  let isOn = true
  const reading = (async () => {
    while (isOn) answers.push(await bench.report())
  })()
  await work().finally(() => {
    isOn = false
  })
  await reading
  return answers
}

const hourOfRow = (key: string) => key.slice(0, key.indexOf(' '))
const ofHour = (counts: HourCounts, hour: string) =>
  JSON.stringify(
    Object.entries(counts)
      .filter(([key]) => hourOfRow(key) === hour)
      .sort(),
  )

/** Hours of answers that show neither all of one side nor all of the other. */
function mixedHours(answers: readonly HourCounts[], a: HourCounts, b: HourCounts): string[] {
  const starts = [...new Set(Object.keys(a).map(hourOfRow))]
  return answers.flatMap((answer) =>
    starts.filter((hour) => {
      const shown = ofHour(answer, hour)
      return shown !== ofHour(a, hour) && shown !== ofHour(b, hour)
    }),
  )
}

function differenceOf(before: HourCounts, after: HourCounts): Record<string, number> {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)])
  return Object.fromEntries(
    [...keys]
      .map((key): [string, number] => [key, (after[key]?.valid ?? 0) - (before[key]?.valid ?? 0)])
      .filter(([, change]) => change !== 0),
  )
}

export function testBackfill(test: TestFn, stack: TestStack): void {
  test('a backfill: planned, looked at, approved, explained, taken back', async (t) => {
    const bench = await openBench(t, stack)
    const { instance, report, expected, reaches, restatements } = bench
    const { post, ask } = instance
    const before = await report()
    t.deepEqual(before, await expected())
    await post(
      '/v1/rules',
      JSON.parse(
        JSON.stringify({
          rules: defaultRuleSetJson.rules.filter(({ id }) => id === 'repeat-impression'),
        }),
      ),
    )

    const dry = await post<BackfillRun>('/v1/backfills', { ...range, reason: 'try', dry_run: true })
    t.like(dry.plan, { hours, rule_sets: [1] })
    t.true((dry.plan?.clicks ?? 0) > 0 && (dry.plan?.bytes ?? 0) > 0)
    await reaches(dry.run_id, 'done')

    const asked = { ...range, reason: 'the double-click rule was wrong', rule_set: 2 }
    const { run_id } = await post<BackfillRun>('/v1/backfills', { ...asked, approve: true })
    const waiting = await reaches(run_id, 'awaiting-approval')
    t.true((waiting.diff?.violationsTotal ?? 0) > 0, 'so much is not published without a look')
    t.is(waiting.diff?.changedHours, hours)
    t.deepEqual(await report(), before, 'nothing is published yet')
    t.deepEqual(await restatements(), [])
    const refused = await t.throwsAsync(post('/v1/backfills', { ...range, reason: 'another' }))
    t.is(statusOf(refused), 409)
    t.is(codeOf(refused), 'run-conflict')

    const meanwhile = await hammered(bench, async () => {
      await post(`/v1/backfills/${run_id}/approve`, {})
      await reaches(run_id, 'done')
    })
    const after = await report()
    t.deepEqual(after, await expected(tried))
    t.notDeepEqual(after, before)
    t.deepEqual(mixedHours(meanwhile, before, after), [], 'an hour changes in one instant')
    t.deepEqual(changesOf(await restatements(), run_id), differenceOf(before, after))
    t.true((await restatements()).every(({ reason }) => reason === asked.reason))

    const back = await post<BackfillRun>(`/v1/backfills/${run_id}/rollback`, {
      reason: 'it was right',
    })
    const returning = await hammered(bench, () => reaches(back.run_id, 'done'))
    t.deepEqual(await report(), before)
    t.deepEqual(mixedHours(returning, before, after), [])
    t.log(`${meanwhile.length + returning.length} answers while hours were replaced`)
    t.deepEqual(changesOf(await restatements(), back.run_id), differenceOf(after, before))
    const again = await t.throwsAsync(post(`/v1/backfills/${run_id}/rollback`, { reason: 'twice' }))
    t.is(codeOf(again), 'run-state')
    const runs = await ask<{ data: { kind: string }[] }>('/v1/rebuilds')
    t.deepEqual(runs.data.map(({ kind }) => kind).sort(), [
      ...['backfill', 'backfill', 'backfill', 'rollback', 'seal'],
    ])
  })

  test('a run can be cancelled, and goes on from what it had staged', async (t) => {
    const { instance, report, reaches } = await openBench(t, stack)
    const { post } = instance
    const before = await report()
    const { run_id } = await post<BackfillRun>('/v1/backfills', { ...range, reason: 'look' })
    const waiting = await reaches(run_id, 'awaiting-approval')
    t.is(waiting.diff?.changedHours, 0, 'the same rules on the same clicks')
    await post(`/v1/backfills/${run_id}/cancel`, {})
    const refused = await t.throwsAsync(post(`/v1/backfills/${run_id}/approve`, {}))
    t.is(codeOf(refused), 'run-state')
    await post(`/v1/backfills/${run_id}/resume`, {})
    await reaches(run_id, 'awaiting-approval')
    await post(`/v1/backfills/${run_id}/approve`, {})
    const done = await reaches(run_id, 'done')
    t.like(done.result, { hours, changedHours: 0 })
    t.deepEqual(await report(), before)
  })

  test('a rehearsal shows what a rule set would change, and changes nothing', async (t) => {
    const { instance, report, expected, reaches, restatements } = await openBench(t, stack)
    const before = await report()
    const { rules } = defaultRuleSetJson
    const body = {
      ...range,
      rules: { rules: rules.filter(({ id }) => id === 'repeat-impression') },
    }
    const { run_id } = await instance.post<BackfillRun>('/v1/rehearsals', body)
    const { result } = await reaches(run_id, 'done')
    const would = await expected(tried)
    const valid = (counts: HourCounts) =>
      Object.values(counts).reduce((sum, row) => sum + (row.valid ?? 0), 0)
    t.like(result, {
      total: { before: { click_count: valid(before) }, after: { click_count: valid(would) } },
    })
    const found = (result as { rules: { rule: string; before: number; after: number }[] }).rules
    t.true(
      found.some(({ rule, before: b, after: a }) => rule === 'double-click' && b > 0 && a === 0),
    )
    t.deepEqual(await report(), before)
    t.deepEqual(await restatements(), [])
    const objects = await openObjectStore(instance.settings)
    t.teardown(() => objects.close())
    const left = await Array.fromAsync(objects.list(`runs/${run_id}/`))
    t.deepEqual(left, [], 'its staged output is gone')
  })

  test('a backfill of one advertiser leaves the others alone; a lost file is named', async (t) => {
    const { instance, report, reaches, restatements } = await openBench(t, stack)
    const before = await report()
    const asked = { ...range, reason: 'adv-1 again', advertiser_id: 'adv-1', approve: true }
    const { run_id } = await instance.post<BackfillRun>('/v1/backfills', asked)
    await reaches(run_id, 'done')
    t.deepEqual(await report(), before)
    t.deepEqual(await restatements(), [])

    const objects = await openObjectStore(instance.settings)
    t.teardown(() => objects.close())
    const [file] = await Array.fromAsync(objects.list('raw/'))
    if (!file) return t.fail('no file is archived')
    await objects.remove(file.key)
    const refused = await t.throwsAsync(
      instance.post('/v1/backfills', { ...range, reason: 'too late' }),
    )
    t.is(codeOf(refused), 'archive-gap')
    t.true(refused?.message.includes(file.key), refused?.message)
    t.deepEqual(await report(), before)
  })

  test('a file that was cut short, a rule set that is none: named, and nothing is published', async (t) => {
    const { instance, report, reaches } = await openBench(t, stack)
    const { post } = instance
    const before = await report()
    const objects = await openObjectStore(instance.settings)
    t.teardown(() => objects.close())
    const [file] = await Array.fromAsync(objects.list('raw/'))
    const bytes = await objects.get(file?.key ?? '')
    if (!(file && bytes)) return t.fail('no file is archived')
    await objects.put(file.key, bytes.subarray(0, bytes.length / 2))
    const { run_id } = await post<BackfillRun>('/v1/backfills', { ...range, reason: 'cut short' })
    const failed = await reaches(run_id, 'failed')
    t.like(failed.result, { code: 'archive-gap' })
    const { error } = failed.result as { error: string }
    t.true(error.includes(file.key), error)
    t.deepEqual(await report(), before)

    // Its end is whole, so only reading it finds out.
    await objects.put(
      file.key,
      Buffer.concat([bytes.subarray(0, 4), Buffer.alloc(400), bytes.subarray(404)]),
    )
    await post(`/v1/backfills/${run_id}/resume`, {})
    await until(
      async () => {
        const { status, result } = await instance.ask<BackfillRun>(`/v1/backfills/${run_id}`)
        return status === 'failed' && JSON.stringify(result).includes(`${file.key} cannot be read`)
      },
      { ...poll, what: 'the spoiled file is named' },
    )
    t.deepEqual(await report(), before)

    await objects.put(file.key, bytes)
    await post(`/v1/backfills/${run_id}/resume`, {})
    const waiting = await reaches(run_id, 'awaiting-approval')
    t.is(waiting.diff?.changedHours, 0)
    await post(`/v1/backfills/${run_id}/cancel`, {})

    const rules = { rules: [{ id: 'x', kind: 'repeat', key: ['nothing'], window: 'PT1S' }] }
    const refused = await t.throwsAsync(post('/v1/rehearsals', { ...range, rules }))
    t.is(codeOf(refused), 'invalid-rule-set')
    const ahead = { from: iso(end + 24 * hourMs), to: iso(end + 25 * hourMs), reason: 'ahead' }
    t.is(codeOf(await t.throwsAsync(post('/v1/backfills', ahead))), 'bad-request')
    const unknown = await t.throwsAsync(
      post('/v1/backfills', { ...range, reason: 'x', rule_set: 99 }),
    )
    t.is(codeOf(unknown), 'not-found')
    t.deepEqual(await report(), before)
  })
}
