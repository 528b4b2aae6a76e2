// Removes old hours of the speed view from Druid. Realtime tasks hold what nobody can mark as unused,
// so they are made to publish first.
import { ClickledgerError } from '#schemas/errors.ts'
import { hourMs } from '#schemas/paths.ts'
import { until } from '../wait.ts'
import type { DruidClient } from './druid-http.ts'
import type { SupervisorStatus } from './druid-realtime.ts'
import { type DruidNames, intervalOf } from './druid-specs.ts'

/** Every click is after this. */
const firstTime = 0
const handOffTimeoutMs = 120_000

/** Tasks publish what they have, and new ones go on from there. */
async function handOff(client: DruidClient, speed: string): Promise<void> {
  const supervisor = `/druid/indexer/v1/supervisor/${speed}`
  const { payload } = (await client.askAgain({ path: `${supervisor}/status` })) as {
    payload: SupervisorStatus & { readonly taskCount?: number }
  }
  const groups = new Set(payload.activeTasks.map((_, i) => i))
  await client.ask({
    path: `${supervisor}/taskGroups/handoff`,
    body: { taskGroupIds: [...groups] },
  })
}

/** Removes the hours of the speed view before `time`; answers lose them within seconds. */
export async function dropSpeedHours(
  client: DruidClient,
  { speed }: DruidNames,
  time: number,
): Promise<void> {
  if (time <= firstTime) return
  const end = time - (time % hourMs)
  // Until they are handed over to historicals: a task waits for that, and shows them until then.
  const realtime = async () => {
    const rows = await client.sql(
      `SELECT COUNT(*) FROM sys.segments WHERE datasource = '${speed}' AND is_realtime = 1
       AND "start" >= '${new Date(firstTime).toISOString()}'
       AND "end" <= '${new Date(end).toISOString()}'`,
    )
    return Number(rows[0]?.[0] ?? 0)
  }
  if ((await realtime()) > 0) {
    await handOff(client, speed)
    await until(async () => (await realtime()) === 0, {
      ...{ timeoutMs: handOffTimeoutMs, everyMs: 500 },
      what: 'the realtime tasks of the speed view have published',
    }).catch((error: Error) => {
      throw new ClickledgerError('unavailable', error.message, error)
    })
  }
  await client.askAgain({
    path: `/druid/coordinator/v1/datasources/${speed}/markUnused`,
    body: { interval: intervalOf(firstTime, end) },
  })
}
