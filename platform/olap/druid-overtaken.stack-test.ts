// Tasks that a process left behind when it died: Druid lets a newer one overtake an older one that waits for
// more rows, and the older one would then put back what was replaced.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { dimensionNames } from '#schemas/dimensions.ts'
import { sumMetrics } from '#schemas/metrics.ts'
import { hourMs } from '#schemas/paths.ts'
import { blankClick } from '../../tests/support/blank-clicks.ts'
import { openDruid } from '../../tests/support/druid.ts'
import { stackSettings } from '../../tests/support/stack.ts'
import { loadClicks } from '../../tests/support/staged.ts'
import { pause, until } from '../wait.ts'
import { createDruidClient } from './druid-http.ts'
import { loadTask, markLayer } from './druid-load-specs.ts'
import { markOf } from './druid-shown.ts'
import { druidNames } from './druid-specs.ts'

const first = Date.UTC(2026, 0, 1)
const second = first + hourMs
/** Longer than the newer load takes where it waits for nothing. */
const overtakenMs = 8_000

/** A store beside two tasks of nobody: one that reads until it is let go, and one that waits for its hour. */
async function besideTasks(t: ExecutionContext) {
  const settings = stackSettings(t)
  const parts = await openDruid(t, settings)
  const names = druidNames(settings)
  const client = createDruidClient(settings)
  t.teardown(() => client.close())
  const { promise: isLetGo, resolve: letGo } = Promise.withResolvers<void>()
  const mark = (hour: number) => ({
    ...{ minute: hour, run: 'dead', layer: markLayer },
    mark: markOf({ hour, run: 'dead', files: [] }),
    ...Object.fromEntries(dimensionNames.map((name) => [name, ''])),
    ...Object.fromEntries(sumMetrics.map(({ name }) => [name, 0])),
  })
  const server = createServer(async ({ url = '' }, answer) => {
    const hours = url.slice(1).split('-').map(Number)
    if (hours.length === 1) await isLetGo
    answer.end(hours.map((hour) => JSON.stringify(mark(hour))).join('\n'))
  }).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const handIn = async (id: string, hours: readonly number[]) => {
    const task = loadTask(id, names, 'batch', hours, [], 1)
    const spec = task.spec as { readonly ioConfig: object }
    const uris = [`http://127.0.0.1:${port}/${hours.join('-')}`]
    const ioConfig = { ...spec.ioConfig, inputSource: { type: 'http', uris } }
    const body = { ...task, spec: { ...spec, ioConfig } }
    await client.askAgain({ path: '/druid/indexer/v1/task', body })
  }
  const [reads, waits] = [`reads_${names.batch}`, `waits_${names.batch}`]
  await handIn(reads, [first])
  await handIn(waits, [first, second])
  const untilEnded = (id: string) =>
    until(
      async () => {
        const path = `/druid/indexer/v1/task/${id}/status`
        const { status } = (await client.ask({ path })) as { status: { status: string } }
        t.not(status.status, 'FAILED')
        return status.status === 'SUCCESS'
      },
      { everyMs: 100, what: `${id} has ended` },
    )
  return { ...parts, letGo, ended: () => Promise.all([reads, waits].map(untilEnded)) }
}

test.serial('druid: what a process that died had handed in ends before a newer load', async (t) => {
  const { letGo, ended, ...parts } = await besideTasks(t)
  const click = { ...blankClick, event_time: second, status: 'valid' as const }
  const loading = loadClicks(parts, 'run-1', [click])
  await Promise.race([loading, pause(overtakenMs)])
  letGo()
  const loads = await loading
  await ended()
  t.deepEqual(await parts.store.loadedHours(loads), [second])
})

test.serial('druid: a store is settled when what was handed in before has ended', async (t) => {
  const { store, letGo, ended } = await besideTasks(t)
  let isLetGo = false
  const settling = store.settled().then((waited) => ({ waited, isLetGo }))
  await Promise.race([settling, pause(2_000)])
  isLetGo = true
  letGo()
  t.deepEqual(await settling, { waited: true, isLetGo: true })
  await ended()
  t.false(await store.settled())
})
