import { createServer } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import test from 'ava'
import { until } from '#platform/wait.ts'
import { freePort, freePortBase, takenPorts } from './ports.ts'
import { portsInBlock } from './state.ts'

test('a port on which something listens is taken, the others of the block are not', async (t) => {
  const base = await freePortBase()
  // A process that another thread is just launching holds, for a moment, all sockets of this one.
  await untilTaken(base, [])
  const server = createServer()
  const { promise, resolve } = Promise.withResolvers<void>()
  server.listen(base + portsInBlock - 1, '127.0.0.1', resolve)
  await promise
  t.teardown(() => server.close())
  await untilTaken(base, [base + portsInBlock - 1])
  t.pass()
})

test('free ports are below those of outgoing connections', async (t) => {
  for (let i = 0; i < 5; i++) {
    t.true((await freePortBase()) + portsInBlock <= 32_768)
    t.true((await freePort()) < 32_768)
  }
})

const untilTaken = (base: number, ports: readonly number[]) =>
  until(async () => isDeepStrictEqual(await takenPorts(base), ports), { what: `taken: ${ports}` })
