// A day of real clicks as live HTTP clicks. The instance's clock is set to each click's own time, so
// windows, hours and lateness are those of the log: the speed view first, then, after sealing, batch.
import http from 'node:http'
import type { TestFn } from 'ava'
import { judgeNaively } from '#core/rules/naive.ts'
import { defaultRuleSet } from '#core/rules/rule-set.ts'
import { createClock } from '#platform/clock.ts'
import { until } from '#platform/wait.ts'
import type { ArchivedClick } from '#schemas/fields.ts'
import { hourMs, hourOf } from '#schemas/paths.ts'
import type { Status } from '#schemas/verdicts.ts'
import { checkCounts, checkSpeedVerdicts, countByHour, reportByHour } from '../support/compare.ts'
import { readJudged, startInstance } from '../support/instance.ts'
import {
  ipinyou,
  type RealClick,
  readRealClicks,
  realClicksMissing,
} from '../support/real-clicks.ts'
import type { TestStack } from '../support/stacks.ts'

/** Sends a click as a browser behind a proxy would. @returns its event id, and with it its time */
function sendClick(ingestUrl: string, agent: http.Agent, click: RealClick): Promise<string> {
  const query = new URLSearchParams({ impression_id: click.impression_id, user_id: click.user })
  return new Promise((resolve, reject) => {
    const request = http.get(
      `${ingestUrl}/click/${click.ad_id}?${query}`,
      {
        agent,
        headers: { 'user-agent': click.agent, 'x-forwarded-for': click.ip.replace('*', '0') },
      },
      (response) => {
        response.resume()
        const id = response.headers['x-click-id']
        if (response.statusCode === 302 && typeof id === 'string') resolve(id)
        else reject(new Error(`${response.statusCode} for ad ${click.ad_id}`))
      },
    )
    request.on('error', reject)
  })
}

const timeOfId = (id: string) => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)

export function testRealClicksReplayed(test: TestFn, stack: TestStack): void {
  const check = realClicksMissing ? test.skip : test
  check('a day of real clicks live: speed view, then the batch view after sealing', async (t) => {
    t.timeout(600_000)
    const day = (await readRealClicks(ipinyou, ipinyou.files.slice(0, 1))).sort(
      (a, b) => a.event_time - b.event_time,
    )
    const start = hourOf(day[0]?.event_time ?? 0)
    const clock = createClock(start - Date.now())
    // So late that nothing is sealed before the day is over: first the speed view has all of it.
    const env = {
      CLICKLEDGER_SEAL_INTERVAL: 'PT0.2S',
      CLICKLEDGER_LATENESS: 'P1D',
      ...stack.env(t),
    }
    const instance = await startInstance(t, env, clock)
    const ads = [...new Map(day.map((click) => [click.ad_id, click.advertiser_id]))]
    await instance.post(
      '/v1/ads',
      ads.map(([ad_id, advertiser_id]) => ({
        ad_id,
        advertiser_id,
        target_url: 'https://example.com/',
      })),
    )
    const agent = new http.Agent({ keepAlive: true })
    t.teardown(() => agent.destroy())
    const sent: ArchivedClick[] = []
    for (const click of day) {
      clock.advance(Math.max(0, click.event_time - clock.now()))
      const event_id = await sendClick(instance.ingestUrl, agent, click)
      sent.push({ ...click, event_id, event_time: timeOfId(event_id) })
    }
    const naive = judgeNaively(defaultRuleSet, sent)
    const end = hourOf(clock.now()) + hourMs
    const range = { start, end }
    const { servingUrl, key } = instance
    const gross = (counts: Record<string, Record<string, number>>) =>
      Object.values(counts).reduce((sum, row) => sum + (row.gross ?? 0), 0)
    const withAll = async () => {
      const counts = await reportByHour(servingUrl, key, range)
      return gross(counts) === sent.length ? counts : undefined
    }
    const live = await until(withAll, { everyMs: 100, what: 'every click is in a report' })
    const judged = await readJudged(instance.settings)
    const spoken = countByHour(judged, judged as readonly { status: Status }[])
    checkCounts(t, live, spoken, stack.uniquesError)
    t.deepEqual(await reportByHour(servingUrl, key, range, 'final'), {}, 'nothing is final yet')

    clock.advance(26 * hourMs)
    const sealed = async () =>
      Date.parse((await instance.ask<{ boundary: string }>('/v1/freshness')).boundary) >= end
    await until(sealed, { everyMs: 100, what: 'the day is sealed' })
    const final = await reportByHour(servingUrl, key, range, 'final')
    checkCounts(t, final, countByHour(sent, naive), stack.uniquesError)

    await checkSpeedVerdicts(t, sent, judged, instance.settings.CLICKLEDGER_SPEED_WINDOW)
  })
}
