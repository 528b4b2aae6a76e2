// The layers on a catalogue in PostgreSQL, the rest embedded, while the server dies and while it
// hangs: users are redirected, their clicks judged and counted, no layer ends, and once the server is
// back everything goes on with no hand.
import test from 'ava'
import { pause } from '#platform/wait.ts'
import { scratchDir } from '../support/contract.ts'
import { startPostgres } from '../support/postgres-server.ts'
import { freshNamespace } from '../support/stack.ts'
import { embedded, type TestStack } from '../support/stacks.ts'
import { layerCommands, startUnderLoad } from '../support/under-load.ts'

/** Longer than any time-out of the client, shorter than serving's memory. */
const hangMs = 20_000

test('PostgreSQL killed and hung under load: every accepted click counts exactly once', async (t) => {
  t.timeout(600_000)
  const server = await startPostgres(t)
  const stack: TestStack = {
    ...embedded,
    name: 'embedded, catalogue in PostgreSQL',
    env: () => ({
      CLICKLEDGER_DATA_DIR: scratchDir(t),
      CLICKLEDGER_POSTGRES_URL: server.url,
      CLICKLEDGER_NAMESPACE: freshNamespace(),
    }),
  }
  const run = await startUnderLoad(t, stack)
  const allRun = (when: string) => {
    for (const layer of layerCommands) {
      const { isRunning, stderr } = run.running[layer]
      t.true(isRunning, `${layer} ${when}: ${stderr.slice(-2_000)}`)
    }
  }
  await run.untilAccepted(100, 'at first')
  await run.untilCounted('at first')

  await server.kill()
  await run.untilAccepted(200, 'while it is down')
  t.is((await run.totals()).status, 200, 'the last boundary still answers')
  await server.start()
  await run.untilAccepted(50, 'after it came back')
  await run.untilCounted('after it came back')
  allRun('after the server was killed')

  const goOn = server.hang()
  await run.untilAccepted(100, 'while it hangs')
  t.is((await run.totals()).status, 200, 'the last boundary still answers')
  await pause(hangMs)
  await run.untilAccepted(100, 'after it has hung for long')
  goOn()
  await run.untilCounted('after it woke up')
  allRun('after the server hung')
  t.log(JSON.stringify(await run.finish()))
})
