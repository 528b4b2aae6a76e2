// kill -9 of the speed layer again and again while its transactions run: what it had produced and
// not committed is never seen, what it had committed is never produced again.
import test from 'ava'
import { pause } from '#platform/wait.ts'
import { topics } from '#schemas/topics.ts'
import { countAborted } from '../../support/aborted.ts'
import { real } from '../../support/stacks.ts'
import { startUnderLoad } from '../../support/under-load.ts'
import { watchReport } from '../../support/watch-report.ts'

const kills = Number(process.env.FAULT_KILLS ?? 3)
const upMsMax = 2_000

test.serial(`speed layer killed ${kills} times: every click is judged exactly once`, async (t) => {
  t.timeout(300_000 + kills * 60_000)
  const run = await startUnderLoad(t, real)
  const watch = watchReport(t, run)
  await run.untilAccepted(50, 'at first')
  for (let kill = 1; kill <= kills; kill++) {
    await pause(run.random() * upMsMax)
    await run.running.speed.end('SIGKILL')
    await run.restart('speed')
    await run.untilJudged(`after kill ${kill}`)
  }
  const seen = await watch.stop()
  const figures = await run.finish()
  const judgedInVain = await countAborted(run.settings, topics.judged.name)
  t.log(JSON.stringify({ kills, ...figures, reports: seen, judgedInVain }))
  // Of three kills none may fall into a transaction; of twenty some do.
  if (kills >= 10) t.true(judgedInVain > 0, 'some kills came in the middle of a transaction')
})
