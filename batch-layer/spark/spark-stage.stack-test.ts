// Both engines stage the same: every row of the minute aggregates and of the verdicts, under the same
// columns, whatever the plan. Needs Java and Python, no servers; the first run installs Spark.
import { existsSync, readdirSync, truncateSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { defaultRuleSet, type RuleSet } from '#core/rules/rule-set.ts'
import type { Settings } from '#platform/config.ts'
import { createLogger } from '#platform/log.ts'
import { dataPaths, openObjectStore } from '#platform/stack.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { hourMs, hourOf } from '#schemas/paths.ts'
import { archiveClicks } from '../../interop/archive-fixture.ts'
import { openPython } from '../../interop/python.ts'
import { clicksOfSomeHours } from '../../interop/support.ts'
import { randomClicks, randomRuleSet, seed } from '../../tests/support/random-clicks.ts'
import {
  ipinyou,
  readRealClicks,
  realClicksMissing,
  talkingdata,
} from '../../tests/support/real-clicks.ts'
import type { RebuildTask } from '../rebuild/plan.ts'
import { type StagedHour, stageTask } from '../rebuild/stage-worker.ts'
import { stageWithSpark } from './spark-stage.ts'
import { compareFiles, planOf } from './test-support.ts'

let spark = ''
test.before(async (t) => {
  t.timeout(20 * 60_000, 'the first run on a machine installs Spark')
  spark = join((await openPython()).programs, 'spark-submit')
})

const logger = createLogger('test', 'silent')
const never = new AbortController().signal

const sparkSettings = (settings: Settings): Settings => ({
  ...settings,
  CLICKLEDGER_SPARK_SUBMIT: spark,
  CLICKLEDGER_SPARK_MASTER: 'local[2]',
})

async function stageBoth(t: ExecutionContext, settings: Settings, tasks: readonly RebuildTask[]) {
  const duckDb: StagedHour[] = []
  for (const task of tasks) duckDb.push(...(await stageTask({ runId: 'duckdb', task, settings })))
  const objects = await openObjectStore(settings)
  t.teardown(() => objects.close())
  const told: StagedHour[] = []
  const staged = await stageWithSpark({
    ...{ settings: sparkSettings(settings), objects, runId: 'spark', tasks, logger, signal: never },
    onStaged: async (hours) => {
      told.push(...hours)
    },
  })
  const byHour = (a: StagedHour, b: StagedHour) => a.hour - b.hour
  t.deepEqual([...told].sort(byHour), [...staged].sort(byHour))
  return { duckDb, spark: staged }
}

const numbers = (hours: readonly StagedHour[]) =>
  hours.map(({ files, ...rest }) => ({ ...rest, isEmpty: files.length === 0 }))

/** Stages with both and compares all that there is to compare. @returns rows compared */
async function compareEngines(
  t: ExecutionContext,
  settings: Settings,
  tasks: readonly RebuildTask[],
) {
  const staged = await stageBoth(t, settings, tasks)
  t.deepEqual(numbers(staged.spark), numbers(staged.duckDb))
  const { objects: root, scratch } = dataPaths(settings)
  const paths = (hours: readonly StagedHour[]) =>
    hours.flatMap(({ files }) => files.map((file) => join(root, file)))
  const verdicts = (hours: readonly StagedHour[]) => [
    ...new Set(paths(hours).map((path) => join(dirname(path), 'verdicts.parquet'))),
  ]
  const { duckDb, spark: own } = staged
  const aggregates = await compareFiles(t, paths(duckDb), paths(own))
  const exceptions = await compareFiles(t, verdicts(duckDb), verdicts(own))
  t.deepEqual(readdirSync(join(scratch, 'rebuild')), [])
  return { aggregates, exceptions, staged }
}

test.serial('random clicks, default rules: hours in one task and alone, some empty', async (t) => {
  t.log(`seed ${seed}`)
  const { settings, clicks } = await archiveClicks(t, clicksOfSomeHours(seed))
  const hours = [...new Set(clicks.map(({ event_time }) => hourOf(event_time)))]
  const empty = [Math.min(...hours) + 30 * hourMs, Math.min(...hours) + hourMs]
  const tasks = await planOf(settings, defaultRuleSet, [...hours, ...empty], 1e9)
  t.true(tasks.some((task) => task.lookBack.length > 0 || task.hours.length > 1))
  const { aggregates, exceptions } = await compareEngines(t, settings, tasks)
  t.true(aggregates > 500 && exceptions > 500, `${aggregates} and ${exceptions} rows`)
})

test.serial('random rule sets, an hour a task: all look back', async (t) => {
  t.log(`seed ${seed}`)
  const streams = fc.sample(randomClicks({ spanMs: 400, ids: 60, max: 80 }), { numRuns: 40, seed })
  // A stream's advertisers are its own; its milliseconds become minutes, so that it spans hours.
  const clicks = streams.flatMap((stream, i) =>
    stream.map((click) => ({
      ...click,
      advertiser_id: `${i}-${click.advertiser_id}`,
      event_time: click.event_time * 60_000,
    })),
  )
  const { settings } = await archiveClicks(t, clicks)
  const [small = defaultRuleSet] = fc.sample(randomRuleSet(300), { numRuns: 1, seed })
  const ruleSet: RuleSet = {
    ...small,
    rules: small.rules.map((rule) =>
      rule.kind === 'repeat' ? { ...rule, windowMs: rule.windowMs * 60_000 } : rule,
    ),
  }
  const hours = [...new Set(clicks.map(({ event_time }) => hourOf(event_time)))]
  await compareEngines(t, settings, await planOf(settings, ruleSet, hours, 1))
})

test.serial('a torn file of the archive is named, and nothing is staged', async (t) => {
  const { settings, root, files, clicks } = await archiveClicks(t, clicksOfSomeHours(seed))
  const [torn = ''] = files
  truncateSync(join(root, torn), 100)
  const hours = [...new Set(clicks.map(({ event_time }) => hourOf(event_time)))]
  const tasks = await planOf(settings, defaultRuleSet, hours, 1e9)
  const objects = await openObjectStore(settings)
  t.teardown(() => objects.close())
  const staging = stageWithSpark({
    ...{ settings: sparkSettings(settings), objects, runId: 'spark', logger, signal: never },
    tasks: tasks.filter((task) => task.hours.some((hour) => hour.files.includes(torn))),
    onStaged: async () => {},
  })
  const error = await t.throwsAsync<ClickledgerError>(staging, { instanceOf: ClickledgerError })
  t.is(error?.code, 'archive-gap')
  t.true(error?.message.includes(torn), error?.message)
  t.false(existsSync(join(root, 'runs')))
})

const onReal = realClicksMissing ? test.serial.skip : test.serial
if (realClicksMissing) console.error(realClicksMissing)

onReal('real clicks', async (t) => {
  t.timeout(20 * 60_000)
  const clicks = [...(await readRealClicks(ipinyou)), ...(await readRealClicks(talkingdata))]
  const { settings } = await archiveClicks(
    t,
    clicks.sort((a, b) => a.event_time - b.event_time),
  )
  const hours = [...new Set(clicks.map(({ event_time }) => hourOf(event_time)))]
  const tasks = await planOf(settings, defaultRuleSet, hours, 40_000)
  const { aggregates, exceptions } = await compareEngines(t, settings, tasks)
  t.log(
    `${clicks.length} clicks of ${hours.length} hours in ${tasks.length} tasks: ${aggregates} aggregates and ${exceptions} verdicts, all equal`,
  )
  t.true(exceptions > 100)
})
