// Removes old hours of the speed view from Druid. Realtime tasks hold what nobody can mark as unused,
// so they are made to publish first.
import type { Interval } from '#core/boundary.ts'
import { hourOf } from '#schemas/paths.ts'
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

/** Removes hours of the speed view, a look at a time: what tasks still serve holds up nobody else. */
export function createSpeedRetention(client: DruidClient, { speed }: DruidNames) {
  /** For tasks that serve what shall go: since when, ms of the process, and whether they were told to publish. */
  let waiting: { since: number; isTold: boolean } | undefined

  /**
   * Until no task serves any of them: a task waits for the loading of what it has published, and for
   * ever if that was dropped meanwhile, and shows it all that time.
   */
  const isServedByTasks = async (end: number): Promise<boolean> => {
    const segments = await servedSegments(client, speed, [intervalOf(firstTime, end)])
    return segments.some(({ locations }) => locations.some(({ type }) => type !== 'historical'))
  }

  return {
    /**
     * Removes the hours before `time` once no task serves them, which is asked for at the first look.
     * Answers lose them within seconds.
     * @returns whether tasks still serve them: look again
     * @throws Error when they have for too long; the next look begins anew
     */
    async dropBefore(time: number): Promise<boolean> {
      if (time <= firstTime) return false
      const end = hourOf(time)
      if (!(await isServedByTasks(end))) {
        waiting = undefined
        await markUnused(client, speed, { start: firstTime, end })
        return false
      }
      waiting ??= { since: performance.now(), isTold: false }
      if (performance.now() - waiting.since > handOffTimeoutMs) {
        waiting = undefined
        const told = `not within ${handOffTimeoutMs} ms`
        throw new Error(`${told}: the realtime tasks of the speed view have published`)
      }
      waiting.isTold ||= await handOff(client, speed)
      return true
    },
  }
}

export type SpeedRetention = ReturnType<typeof createSpeedRetention>
