// Each layer as a process of its own; each is killed in turn under load and started again. The
// others go on, and every accepted click counts exactly once.
import type { TestFn } from 'ava'
import { pause } from '#platform/wait.ts'
import type { TestStack } from '../support/stacks.ts'
import { layerCommands, startUnderLoad } from '../support/under-load.ts'

const upMsMax = 1_500

export function testLayersAsProcesses(test: TestFn, stack: TestStack): void {
  test('layers as processes, each killed in turn: every accepted click counts exactly once', async (t) => {
    t.timeout(600_000)
    const run = await startUnderLoad(t, stack)
    await run.untilAccepted(50, 'at first')
    for (const layer of layerCommands) {
      await pause(run.random() * upMsMax)
      await run.running[layer].end('SIGKILL')
      if (layer !== 'ingest') await run.untilAccepted(50, `while ${layer} is down`)
      await run.restart(layer)
      await run.untilAccepted(50, `after ${layer} came back`)
      for (const other of layerCommands) {
        const { isRunning, stderr } = run.running[other]
        t.true(isRunning, `${other}: ${stderr.slice(-2_000)}`)
      }
    }
    t.log(JSON.stringify(await run.finish()))
  })
}
