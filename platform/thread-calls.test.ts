import { once } from 'node:events'
import { MessageChannel, type Worker } from 'node:worker_threads'
import test from 'ava'
import { callWorker, serveCalls } from './thread-calls.ts'

test('a signal reaches the other side, and the answer still comes', async (t) => {
  const { port1, port2 } = new MessageChannel()
  t.teardown(() => port1.close())
  serveCalls(port2, {
    async slow(name: string, signal: AbortSignal) {
      if (!signal.aborted) await once(signal, 'abort')
      return `${name} ended`
    },
    plain: async (...args: unknown[]) => args.length,
  })
  const calls = callWorker<{
    slow(name: string, signal: AbortSignal): Promise<string>
    plain(one: number): Promise<number>
  }>(port1 as unknown as Worker)
  const [first, second] = [new AbortController(), new AbortController()]
  const both = [calls.slow('first', first.signal), calls.slow('second', second.signal)]
  second.abort()
  t.is(await both[1], 'second ended')
  first.abort()
  t.is(await both[0], 'first ended')
  t.is(await calls.slow('late', AbortSignal.abort()), 'late ended')
  t.is(await calls.plain(1), 1)
})
