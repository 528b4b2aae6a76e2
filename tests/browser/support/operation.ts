// An instance with three sealed hours behind a clock of its own, and an engineer's key to it: what the
// view of operation shows is what the layers did.
import { partitionKey } from '#core/identity.ts'
import { createClock } from '#platform/clock.ts'
import { openEventLog } from '#platform/stack.ts'
import { until } from '#platform/wait.ts'
import { encodeRawClick } from '#schemas/avro.ts'
import { hourMs } from '#schemas/paths.ts'
import { topics } from '#schemas/topics.ts'
import { startInstance } from '../../support/instance.ts'
import { clicksIn, seed } from '../../support/random-clicks.ts'
import type { T } from './browser.ts'

const start = Date.UTC(2026, 2, 1, 10)
const hours = 3
export const end = start + hours * hourMs
const poll = { everyMs: 50 }

export async function startOperation(t: T) {
  t.log(`seed ${seed}`)
  const clock = createClock(start + 5 * 60_000 - Date.now())
  const instance = await startInstance(
    t,
    { CLICKLEDGER_SEAL_INTERVAL: 'PT0.2S', CLICKLEDGER_RECONCILE_INTERVAL: 'PT0.5S' },
    clock,
  )
  const log = await openEventLog(instance.settings, clock.now)
  t.teardown(() => log.close())
  await log.append(
    topics.raw.name,
    clicksIn(start, hours * hourMs, 1).map((click) => ({
      key: partitionKey(click.ad_id, click.ip_hash),
      value: encodeRawClick(click),
      timestamp: click.received_time,
    })),
  )
  clock.advance((hours + 1) * hourMs)
  const isSealed = async () =>
    Date.parse((await instance.ask<{ boundary: string }>('/v1/boundary')).boundary) >= end
  await until(isSealed, { ...poll, what: 'the hours are sealed' })
  const { key } = await instance.post<{ key: string }>('/v1/keys', {
    ...{ role: 'engineer', name: 'night shift' },
  })
  return { instance, log, key, url: instance.servingUrl }
}
