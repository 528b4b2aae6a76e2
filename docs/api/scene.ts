// The instance that docs/API.md is executed on: a few hours of clicks, sealed; one dead letter; and for
// each call that changes a run, a run in the state for it.
import type { ExecutionContext } from 'ava'
import { createClock } from '#platform/clock.ts'
import { openEventLog } from '#platform/stack.ts'
import { until } from '#platform/wait.ts'
import { hourMs } from '#schemas/paths.ts'
import { topics } from '#schemas/topics.ts'
import { startInstance, type TestInstance } from '../../tests/support/instance.ts'
import type { ShownCall } from './page.ts'

const start = Date.UTC(2026, 2, 1, 10)
const poll = { everyMs: 50 }
const browser = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'

type Env = Readonly<Record<string, string>>

async function sendClicks(instance: TestInstance, count: number): Promise<string> {
  let last = ''
  for (let i = 0; i < count; i++) {
    const url = `${instance.ingestUrl}/click/ad-${1 + (i % 2)}?publisher_id=pub-1`
    const headers = { 'user-agent': browser, 'x-forwarded-for': `81.2.69.${i % 5}` }
    const answer = await fetch(url, { headers, redirect: 'manual' })
    if (answer.status !== 302) throw new Error(`${url}: ${answer.status}`)
    last = answer.headers.get('x-click-id') ?? ''
  }
  return last
}

export async function startDocumented(t: ExecutionContext) {
  const clock = createClock(start + 5 * 60_000 - Date.now())
  const instance = await startInstance(t, { CLICKLEDGER_SEAL_INTERVAL: 'PT0.2S' }, clock)
  const { ask, post } = instance
  const ids: Record<string, string> = {}

  const reaches = (runId: string, status: string) =>
    until(async () => (await ask<{ status: string }>(`/v1/backfills/${runId}`)).status === status, {
      ...poll,
      what: `run ${runId} is ${status}`,
    })
  const fill = async () => {
    const log = await openEventLog(instance.settings, clock.now)
    const record = { key: 'k', value: Buffer.from('no click'), timestamp: clock.now() }
    await log.append(topics.raw.name, [record])
    await log.close()
    ids.EVENT_ID = await sendClicks(instance, 24)
    const isIn = async () =>
      (await ask<{ counts: { gross: number } }>('/v1/status')).counts.gross >= 24
    await until(isIn, { ...poll, what: 'the clicks are counted' })
    clock.advance(2 * hourMs)
    const isSealed = async () =>
      Date.parse((await ask<{ boundary: string }>('/v1/boundary')).boundary) >= start + hourMs
    await until(isSealed, { ...poll, what: 'the hour is sealed' })
    await sendClicks(instance, 4)
    const letters = await until(
      async () => {
        const { data } = await ask<{ data: { id: string }[] }>('/v1/dead-letters')
        return data[0]
      },
      { ...poll, what: 'the dead letter is there' },
    )
    ids.DEAD_LETTER_ID = letters.id
  }
  const plan = async () => {
    const range = { from: '2026-03-01T10:00:00Z', to: '2026-03-01T11:00:00Z' }
    const { run_id } = await post<{ run_id: string }>('/v1/backfills', {
      ...{ ...range, reason: 'another bot network' },
    })
    ids.RUN_ID = run_id
    await reaches(run_id, 'awaiting-approval')
  }
  const done = (status: string) => () => reaches(ids.RUN_ID ?? '', status)
  let isPlanned = false
  const steps: Readonly<Record<string, () => Promise<unknown>>> = {
    'GET /v1/reports/clicks/timeseries': fill,
    'GET /v1/rebuilds/{run_id}': done('done'),
    'GET /v1/backfills/{run_id}': done('awaiting-approval'),
    'POST /v1/backfills/{run_id}/rollback': done('done'),
    'POST /v1/backfills/{run_id}/cancel': async () => {
      await done('done')()
      await plan()
    },
    'GET /v1/backfills': async () => {
      await done('awaiting-approval')()
      await post(`/v1/backfills/${ids.RUN_ID}/cancel`, {})
    },
  }

  return {
    /** Brings the instance into the state that a call is shown in. @returns the variables of its script */
    async before({ title }: ShownCall): Promise<Env> {
      await steps[title]?.()
      isPlanned = title.startsWith('POST')
      return { ...ids, URL: instance.servingUrl, KEY: instance.key }
    },
    after(answer: unknown): void {
      const { run_id, key_id } = answer as { run_id?: unknown; key_id?: unknown }
      if (typeof key_id === 'string') ids.KEY_ID = key_id
      if (isPlanned && typeof run_id === 'string') ids.RUN_ID = run_id
    },
  }
}
