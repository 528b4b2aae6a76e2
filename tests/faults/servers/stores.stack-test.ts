// What the layers keep their work in goes away under load: S3 in the middle of an upload, PostgreSQL,
// Redis. Clicks are accepted and redirected all the while.
import test from 'ava'
import { pause } from '#platform/wait.ts'
import { testServers } from '../../support/stack.ts'
import { real } from '../../support/stacks.ts'
import { startUnderLoad } from '../../support/under-load.ts'
import { watchReport } from '../../support/watch-report.ts'

const rounds = Number(process.env.FAULT_ROUNDS ?? 1)

test.serial(`S3, PostgreSQL and Redis away ${rounds} times: nothing is lost`, async (t) => {
  t.timeout(300_000 + rounds * 240_000)
  const stack = testServers()
  const run = await startUnderLoad(t, real)
  const watch = watchReport(t, run)
  await run.untilAccepted(100, 'at first')
  for (let round = 1; round <= rounds; round++) {
    for (const name of ['s3', 'postgres', 'redis'] as const) {
      const server = stack.server(name)
      t.teardown(() => server.start())
      await pause(run.random() * 1_000)
      // The archive flushes every second: S3 dies in the middle of what it is sent.
      await server.kill()
      await run.untilAccepted(200, `while ${name} is dead`)
      await server.start()
      await run.untilCounted(`after ${name} came back`)
    }
  }
  const seen = await watch.stop()
  t.log(JSON.stringify({ rounds, ...(await run.finish()), reports: seen }))
})
