import { once } from 'node:events'
import { MessageChannel } from 'node:worker_threads'
import test from 'ava'
import { within } from './wait.ts'

test('an answer that came while the process was busy is in time', async (t) => {
  const { port1, port2 } = new MessageChannel()
  t.teardown(() => port1.close())
  const answer = once(port1, 'message')
  const asked = within(answer, 5)
  port2.postMessage('here')
  const busyUntil = performance.now() + 50
  while (performance.now() < busyUntil);
  t.truthy(await asked)
})

test('no answer in time is none', async (t) => {
  await t.throwsAsync(within(new Promise(() => {}), 5), { code: 'unavailable' })
})
