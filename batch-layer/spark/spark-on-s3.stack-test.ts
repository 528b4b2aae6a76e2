// Spark reads the archive from a bucket and stages into it, through hadoop-aws from Maven Central. The
// bucket is the local stack's; the rows are those that DuckDB stages from the same files.
import { copyFile, mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import test from 'ava'
import { defaultRuleSet } from '#core/rules/rule-set.ts'
import { readSettings } from '#platform/config.ts'
import { createLogger } from '#platform/log.ts'
import { openObjectStore } from '#platform/stack.ts'
import { hourOf, stagedPath } from '#schemas/paths.ts'
import { archiveClicks } from '../../interop/archive-fixture.ts'
import { openPython } from '../../interop/python.ts'
import { clicksOfSomeHours } from '../../interop/support.ts'
import { scratchDir } from '../../tests/support/contract.ts'
import { seed } from '../../tests/support/random-clicks.ts'
import { freshNamespace, stackState } from '../../tests/support/stack.ts'
import { type StagedHour, stageTask } from '../rebuild/stage-worker.ts'
import { stageWithSpark } from './spark-stage.ts'
import { compareFiles, planOf } from './test-support.ts'

test('in S3: the same rows, and nothing else is left in the bucket', async (t) => {
  t.timeout(20 * 60_000, 'the first run on a machine installs Spark and hadoop-aws')
  t.log(`seed ${seed}`)
  const { settings: local, files, root, clicks } = await archiveClicks(t, clicksOfSomeHours(seed))
  const s3 = Object.entries(stackState().env).filter(([name]) => name.includes('_S3_'))
  const settings = readSettings({
    ...Object.fromEntries(s3),
    CLICKLEDGER_NAMESPACE: freshNamespace(),
    CLICKLEDGER_DATA_DIR: scratchDir(t),
    CLICKLEDGER_SPARK_SUBMIT: join((await openPython()).programs, 'spark-submit'),
    CLICKLEDGER_SPARK_MASTER: 'local[2]',
    CLICKLEDGER_SPARK_CONF: 'spark.jars.packages=org.apache.hadoop:hadoop-aws:3.4.1',
  })
  const objects = await openObjectStore(settings)
  t.teardown(() => objects.close())
  for (const file of files) await objects.put(file, { path: join(root, file) })
  const hours = [...new Set(clicks.map(({ event_time }) => hourOf(event_time)))].sort()
  const tasks = await planOf(local, defaultRuleSet, hours.slice(0, 2), 1e9)
  const runId = 'run'
  const ours: StagedHour[] = []
  for (const task of tasks) ours.push(...(await stageTask({ runId, task, settings: local })))
  const theirs = await stageWithSpark({
    ...{ settings, objects, runId, tasks, signal: new AbortController().signal },
    logger: createLogger('test', 'silent'),
    onStaged: async () => {},
  })
  const numbers = (list: readonly StagedHour[]) => list.map(({ files: _, ...rest }) => rest)
  t.deepEqual(numbers(theirs), numbers(ours))
  const verdicts = ({ hour }: StagedHour) => stagedPath(runId, hour, 'verdicts.parquet')
  const keys = theirs.flatMap((hour) => [...hour.files, verdicts(hour)])
  const found: string[] = []
  for await (const { key } of objects.list(`runs/${runId}/`)) found.push(key)
  t.deepEqual(found.sort(), keys.sort())
  // Copies under the names of objects: the comparison wants the hour in the path.
  const copyOf = async (key: string) => {
    const path = join(root, 'spark', key)
    await mkdir(dirname(path), { recursive: true })
    await copyFile(await objects.localPath(key), path)
    return path
  }
  const copies = (list: readonly string[]) => Promise.all(list.map(copyOf))
  const at = (key: string) => join(root, key)
  const aggregates = await compareFiles(
    t,
    ours.flatMap((hour) => hour.files).map(at),
    await copies(theirs.flatMap((hour) => hour.files)),
  )
  const exceptions = await compareFiles(
    t,
    ours.map(verdicts).map(at),
    await copies(theirs.map(verdicts)),
  )
  t.true(aggregates > 100 && exceptions > 100)
})
