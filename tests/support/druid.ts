// A Druid store of a test's own, with its log and its object store; afterwards its supervisor is
// ended and its datasources are dropped, so that tests do not run out of task slots.
import type { ExecutionContext } from 'ava'
import type { Settings } from '#platform/config.ts'
import { openKafkaEventLog } from '#platform/event-log/kafka.ts'
import { openS3Store } from '#platform/object-store/s3.ts'
import { openDruidStore } from '#platform/olap/druid.ts'
import { createDruidClient, DruidError } from '#platform/olap/druid-http.ts'
import { druidNames, views } from '#platform/olap/druid-specs.ts'
import { topics } from '#schemas/topics.ts'

export async function openDruid(t: ExecutionContext, settings: Settings) {
  const log = await openKafkaEventLog({ settings })
  await log.ensureTopics(Object.values(topics), settings.CLICKLEDGER_PARTITIONS)
  const objects = await openS3Store({ settings })
  t.teardown(() => dropDruid(settings))
  const store = await openDruidStore({ settings, log, objects })
  t.teardown(async () => {
    await store.close()
    await objects.close()
    await log.close()
  })
  return { store, log, objects }
}

/** Removes what an installation has in Druid. */
export async function dropDruid(settings: Settings): Promise<void> {
  const client = createDruidClient(settings)
  const names = druidNames(settings)
  const post = async (path: string, body = {}) => {
    await client.askAgain({ path, body }).catch((error: unknown) => {
      if (!(error instanceof DruidError) || error.status !== 404) throw error // nothing to end
    })
  }
  const interval = '1990-01-01T00:00:00.000Z/2100-01-01T00:00:00.000Z'
  try {
    await post(`/druid/indexer/v1/supervisor/${names.speed}/terminate`)
    for (const dataSource of views.map((view) => names[view])) {
      // A task would wait minutes for the loading of what is dropped here.
      const path = `/druid/indexer/v1/tasks?datasource=${dataSource}&state=running`
      const tasks = (await client.askAgain({ path })) as { readonly id: string }[]
      for (const { id } of tasks) await post(`/druid/indexer/v1/task/${id}/shutdown`)
      await post(`/druid/coordinator/v1/datasources/${dataSource}/markUnused`, { interval })
    }
  } finally {
    await client.close()
  }
}
