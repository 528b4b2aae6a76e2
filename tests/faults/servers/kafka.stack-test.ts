// The event log dies, and hangs, under load. Ingest goes on accepting: the clicks wait in its
// write-ahead log, users are redirected as ever, and everything goes on by itself afterwards.
import test from 'ava'
import { pause } from '#platform/wait.ts'
import { testServers } from '../../support/stack.ts'
import { real } from '../../support/stacks.ts'
import { startUnderLoad } from '../../support/under-load.ts'
import { watchReport } from '../../support/watch-report.ts'

const rounds = Number(process.env.FAULT_ROUNDS ?? 1)
const hungMs = 20_000

test.serial(
  `Kafka killed and hung ${rounds} times: nothing is lost, nothing counts twice`,
  async (t) => {
    t.timeout(300_000 + rounds * 240_000)
    const kafka = testServers().server('kafka')
    t.teardown(() => kafka.start())
    const run = await startUnderLoad(t, real)
    const watch = watchReport(t, run)
    await run.untilAccepted(100, 'at first')
    for (let round = 1; round <= rounds; round++) {
      await pause(run.random() * 2_000)
      await kafka.kill()
      await run.untilAccepted(200, 'while Kafka is dead')
      await run.running.ingest.end('SIGKILL')
      await run.restart('ingest')
      await run.untilAccepted(50, 'by a node that restarted while Kafka is dead')
      await kafka.start()
      await run.untilJudged('after Kafka was killed')

      kafka.pause()
      await pause(hungMs)
      await run.untilAccepted(100, 'while Kafka hangs')
      kafka.resume()
      await run.untilJudged('after Kafka hung')
    }
    const seen = await watch.stop()
    const unfinished = run.running.speed.stderr.split('had not finished a transaction').length - 1
    t.log(JSON.stringify({ rounds, ...(await run.finish()), unfinished, reports: seen }))
  },
)
