// Druid's processes die under load, the indexer in the middle of its tasks. Sums may be missing for a
// while, but then the answer says so or is refused; in the end all is counted once.
import test from 'ava'
import { pause } from '#platform/wait.ts'
import { testServers } from '../../support/stack.ts'
import { real } from '../../support/stacks.ts'
import { startUnderLoad } from '../../support/under-load.ts'
import { watchReport } from '../../support/watch-report.ts'

const rounds = Number(process.env.FAULT_ROUNDS ?? 1)
const victims = ['druid-indexer', 'druid-broker', 'druid-historical'] as const

for (const victim of victims) {
  test.serial(
    `${victim} killed ${rounds} times: no answer is wrong, all is counted once`,
    async (t) => {
      t.timeout(300_000 + rounds * 240_000)
      const server = testServers().server(victim)
      t.teardown(() => server.start())
      const run = await startUnderLoad(t, real)
      const watch = watchReport(t, run)
      await run.untilAccepted(100, 'at first')
      for (let round = 1; round <= rounds; round++) {
        await run.untilCounted(`before ${victim} is killed`)
        await pause(run.random() * 2_000)
        await server.kill()
        await run.untilAccepted(200, `while ${victim} is dead`)
        await server.start()
        await run.untilCounted(`after ${victim} came back`)
      }
      const seen = await watch.stop()
      t.log(JSON.stringify({ victim, rounds, ...(await run.finish()), reports: seen }))
    },
  )
}
