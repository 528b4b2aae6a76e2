// kill -9 in the middle of a backfill, again and again: while it stages, while it waits, while it
// publishes. Each hour shows the numbers from before or from after, never a mixture; resumed, the run ends
// as if nothing had happened, and the record of what changed has each change once. A backfill that is done
// is followed by one back to the rules from before, until it was killed often enough.
import { randomUUID } from 'node:crypto'
import type { TestFn } from 'ava'
import { partitionKey } from '#core/identity.ts'
import { defaultRuleSetJson, parseRuleSet } from '#core/rules/rule-set.ts'
import { readSettings } from '#platform/config.ts'
import { openEventLog } from '#platform/stack.ts'
import { pause, until } from '#platform/wait.ts'
import { encodeRawClick } from '#schemas/avro.ts'
import { hourMs, hourOf } from '#schemas/paths.ts'
import { topics } from '#schemas/topics.ts'
import type { BackfillRun } from '../../cli/backfill.ts'
import { seededRandom } from '../support/click-load.ts'
import { type HourCounts, naiveTotals } from '../support/compare.ts'
import { readRawClicks } from '../support/conservation.ts'
import { askServing, servingUrlOf, startProgram } from '../support/processes.ts'
import { clicksIn, seed } from '../support/random-clicks.ts'
import type { TestStack } from '../support/stacks.ts'

const kills = Number(process.env.FAULT_KILLS ?? 4)
const upMsMax = 3_000
/** Publishing is short: after an approval the kill comes soon. */
const publishMsMax = 300
const hours = 12
const poll = { everyMs: 100 }
const iso = (time: number) => new Date(time).toISOString()
const triedRules = defaultRuleSetJson.rules.filter(({ id }) => id === 'repeat-impression')

interface Restatement {
  readonly run_id: string
  readonly hour: string
  readonly before: Record<string, number>
  readonly after: Record<string, number>
}

export function testBackfillKilled(test: TestFn, stack: TestStack): void {
  test(`backfills killed ${kills} times: whole hours, and in the end all of them once`, async (t) => {
    t.timeout(300_000 + kills * 60_000)
    t.log(`seed ${seed}`)
    const random = seededRandom(seed)
    const key = `test-${randomUUID()}`
    const env = {
      ...stack.env(t),
      CLICKLEDGER_ADMIN_KEY: key,
      CLICKLEDGER_ARCHIVE_INTERVAL: 'PT0.3S',
      CLICKLEDGER_SEAL_INTERVAL: 'PT0.2S',
      CLICKLEDGER_REBUILD_TASK_CLICKS: '1', // each hour by itself
      CLICKLEDGER_REBUILD_PAUSE: 'PT0.1S', // so that kills fall between hours
    }
    const settings = readSettings(env)
    const first = hourOf(Date.now()) - 30 * hourMs
    const range = { from: iso(first), to: iso(first + hours * hourMs) }
    let program = startProgram(t, 'start', env)
    let url = await servingUrlOf(program)
    const ask = <T>(path: string, body?: unknown) => askServing<T>(url, key, path, body)
    const restart = async () => {
      await program.end('SIGKILL')
      program = startProgram(t, 'start', env)
      url = await servingUrlOf(program)
    }
    const log = await openEventLog(settings, Date.now)
    await log.append(
      topics.raw.name,
      clicksIn(first, hours * hourMs, 1).map((click) => ({
        key: partitionKey(click.ad_id, click.ip_hash),
        value: encodeRawClick(click),
        timestamp: click.received_time,
      })),
    )
    const clicks = await readRawClicks(log)
    await log.close()
    const untried = naiveTotals(clicks)
    const tried = naiveTotals(clicks, parseRuleSet({ version: 2, rules: triedRules }))

    const report = async (): Promise<HourCounts> => {
      const query = new URLSearchParams({
        ...{ start_time: range.from, end_time: range.to, granularity: 'hour' },
        metrics: 'gross_click_count,click_count,duplicate_click_count,fraudulent_click_count',
      })
      const { data } = await ask<{ data: Record<string, number | string>[] }>(
        `/v1/reports/clicks/timeseries?${query}`,
      )
      return Object.fromEntries(
        data.map((row) => [
          iso(Date.parse(String(row.time))),
          {
            gross: Number(row.gross_click_count),
            valid: Number(row.click_count),
            duplicate: Number(row.duplicate_click_count),
            invalid: Number(row.fraudulent_click_count),
          },
        ]),
      )
    }
    const isLike = (counts: HourCounts, expected: HourCounts) =>
      Object.entries(expected).every(
        ([hour, row]) => JSON.stringify(counts[hour]) === JSON.stringify(row),
      )
    const valid = (counts: HourCounts) =>
      Object.values(counts).reduce((sum, row) => sum + (row.valid ?? 0), 0)

    const killedIn: string[] = []
    /** One backfill, killed as it goes while kills are left. */
    const backfill = async (ruleSet: number, before: HourCounts, after: HourCounts) => {
      const asked = { ...range, reason: 'killed', rule_set: ruleSet }
      const { run_id } = await ask<BackfillRun>('/v1/backfills', asked)
      let isApproved = false
      const step = async (): Promise<boolean> => {
        const { status, result } = await ask<BackfillRun>(`/v1/backfills/${run_id}`)
        if (status === 'failed') throw new Error(JSON.stringify(result))
        if (status === 'interrupted') await ask(`/v1/backfills/${run_id}/resume`, {})
        isApproved = status === 'awaiting-approval'
        if (isApproved) await ask(`/v1/backfills/${run_id}/approve`, {})
        return status === 'done'
      }
      while (killedIn.length < kills && !(await step())) {
        // Every other kill is for the publication.
        const goesOn = async () => isApproved || (await step())
        if (killedIn.length % 2 === 1) await until(goesOn, { ...poll, what: 'an approval' })
        await pause(random() * (isApproved ? publishMsMax : upMsMax))
        killedIn.push((await ask<BackfillRun>(`/v1/backfills/${run_id}`)).status)
        await restart()
        for (const [hour, row] of Object.entries(await report())) {
          const isWhole = [before[hour], after[hour]].some(
            (one) => JSON.stringify(one) === JSON.stringify(row),
          )
          t.true(isWhole, `${hour}: ${JSON.stringify(row)} is neither from before nor from after`)
        }
      }
      await until(step, { ...poll, what: 'the backfill is done' })
      t.true(isLike(await report(), after))
      const { data } = await ask<{ data: Restatement[] }>('/v1/restatements?limit=10000')
      const change = data
        .filter((row) => row.run_id === run_id) // building the hours piece by piece is recorded too
        .reduce(
          (sum, { before: b, after: a }) => sum + (a.click_count ?? 0) - (b.click_count ?? 0),
          0,
        )
      t.is(change, valid(after) - valid(before))
    }

    await until(async () => isLike(await report(), untried), { ...poll, what: 'it is built' })
    await ask('/v1/rules', { rules: triedRules })
    let backfills = 0
    for (; killedIn.length < kills; backfills++) {
      if (backfills % 2 === 0) await backfill(2, untried, tried)
      else await backfill(1, tried, untried)
    }
    const change = valid(tried) - valid(untried)
    t.log(JSON.stringify({ backfills, killedIn, clicks: clicks.length, change }))
  })
}
