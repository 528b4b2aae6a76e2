// Removes old hours of the speed view from Druid. Realtime tasks hold what nobody can mark as unused,
// so they are made to publish first.
import type { Interval } from '#core/boundary.ts'
import { hourOf } from '#schemas/paths.ts'
import { until } from '../wait.ts'
import type { DruidClient } from './druid-http.ts'
import type { SupervisorStatus } from './druid-realtime.ts'
import { servedSegments } from './druid-segments.ts'
import { type DruidNames, intervalOf } from './druid-specs.ts'

/** Every click is after this. */
const firstTime = 0
const handOffTimeoutMs = 300_000

/** Tasks publish what they have, and new ones go on from there. @returns whether there were any */
async function handOff(client: DruidClient, speed: string): Promise<boolean> {
  const supervisor = `/druid/indexer/v1/supervisor/${speed}`
  const { payload } = (await client.askAgain({ path: `${supervisor}/status` })) as {
    payload: SupervisorStatus
  }
  const taskGroupIds = payload.activeTasks.map((_, group) => group)
  if (taskGroupIds.length === 0) return false
  await client.ask({ path: `${supervisor}/taskGroups/handoff`, body: { taskGroupIds } })
  return true
}

/** Removes what is published of a range of whole hours; answers lose it within seconds. */
export async function markUnused(
  client: DruidClient,
  dataSource: string,
  { start, end }: Interval,
): Promise<void> {
  await client.askAgain({
    path: `/druid/coordinator/v1/datasources/${dataSource}/markUnused`,
    body: { interval: intervalOf(start, end) },
  })
}

/** Removes the hours of the speed view before `time`; answers lose them within seconds. */
export async function dropSpeedHours(
  client: DruidClient,
  { speed }: DruidNames,
  time: number,
  signal: AbortSignal,
): Promise<void> {
  if (time <= firstTime) return
  const end = hourOf(time)
  // Until no task serves any of them: a task waits for the loading of what it has published, and for
  // ever if that was dropped meanwhile, and shows it all that time.
  const realtime = async () => {
    const segments = await servedSegments(client, speed, [intervalOf(firstTime, end)])
    return segments.some(({ locations }) => locations.some(({ type }) => type !== 'historical'))
  }
  let asked = false
  const published = async () => {
    if (!(await realtime())) return true
    signal.throwIfAborted()
    if (!asked) asked = await handOff(client, speed)
    return false
  }
  await until(published, {
    ...{ timeoutMs: handOffTimeoutMs, everyMs: 500 },
    what: 'the realtime tasks of the speed view have published',
  })
  await markUnused(client, speed, { start: firstTime, end })
}
