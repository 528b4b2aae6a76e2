// What goes wrong around Spark is named with what to do. The programs here are small shell scripts that
// say what spark-submit and the driver say; the real ones run in spark-stage.stack-test.ts.
import { chmodSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { defaultRuleSet } from '#core/rules/rule-set.ts'
import { readSettings } from '#platform/config.ts'
import { createLogger } from '#platform/log.ts'
import { openObjectStore } from '#platform/stack.ts'
import { until } from '#platform/wait.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { scratchDir } from '../../tests/support/contract.ts'
import { stageWithSpark } from './spark-stage.ts'
import { driverFault, parseConf, sparkConf, sparkEnv, submit } from './spark-submit.ts'

const never = new AbortController().signal
const nothing = async () => {}

/** Settings whose spark-submit is this script. */
function withScript(t: ExecutionContext, script: string, env: Record<string, string> = {}) {
  const dir = scratchDir(t)
  const path = join(dir, 'spark-submit')
  writeFileSync(path, `#!/bin/sh\n${script}\n`)
  chmodSync(path, 0o755)
  const own = { CLICKLEDGER_DATA_DIR: dir, CLICKLEDGER_SPARK_SUBMIT: path }
  return readSettings({ ...own, ...env })
}

const failure = (t: ExecutionContext, work: Promise<unknown>) =>
  t.throwsAsync<ClickledgerError>(work, { instanceOf: ClickledgerError })

test('a spark-submit that is not there: what to install or to set', async (t) => {
  const settings = readSettings({ CLICKLEDGER_SPARK_SUBMIT: '/nowhere/spark-submit' })
  const error = await failure(t, submit(settings, 'plan.json', never, nothing))
  t.is(error?.code, 'missing-program')
  t.regex(error?.message ?? '', /pip install pyspark.*CLICKLEDGER_SPARK_SUBMIT/)
})

test('no Java: what to install', async (t) => {
  const settings = withScript(t, 'echo "JAVA_HOME is not set" >&2; exit 1')
  const error = await failure(t, submit(settings, 'plan.json', never, nothing))
  t.is(error?.code, 'missing-program')
  t.regex(error?.message ?? '', /Java 17/)
})

test('Spark that ends early, well or badly, has staged nothing more', async (t) => {
  for (const code of [0, 3]) {
    const settings = withScript(t, `echo "no room for executors" >&2; exit ${code}`)
    const error = await failure(t, submit(settings, 'plan.json', never, nothing))
    t.is(error?.code, 'spark-failed')
    t.regex(error?.message ?? '', new RegExp(`code ${code}[^]*no room for executors`))
  }
})

test('what the driver says went wrong', async (t) => {
  const settings = withScript(t, `echo 'clickledger {"error": "no more disk"}'; sleep 60`)
  const error = await failure(t, submit(settings, 'plan.json', never, nothing))
  t.is(error?.code, 'spark-failed')
  t.regex(error?.message ?? '', /no more disk/)
  const torn = driverFault('[FAILED_READ_FILE.CANNOT_READ_FILE_FOOTER] file:/raw/x.parquet')
  t.is(torn.code, 'archive-gap')
  t.regex(torn.message, /x\.parquet/)
})

test('tasks are handed on one by one; a refusal ends Spark', async (t) => {
  const line = (task: number) => `echo 'clickledger {"task": ${task}, "hours": []}'`
  const said = [line(1), 'echo WARN something', line(0), `echo 'clickledger {"done": true}'`]
  const told: number[] = []
  await submit(withScript(t, said.join('\n')), 'plan.json', never, async ({ task }) => {
    told.push(task)
  })
  t.deepEqual(told, [1, 0])
  const refusing = submit(withScript(t, `${line(0)}; sleep 60`), 'plan.json', never, async () => {
    throw new Error('fenced')
  })
  await t.throwsAsync(refusing, { message: 'fenced' })
})

test('when the signal aborts, no process of the group is left', async (t) => {
  const dir = scratchDir(t)
  // It ignores the polite signal's effect on its child, as a shell does.
  const settings = withScript(t, `sleep 300 & echo $! > ${dir}/pid; wait`)
  const stopping = new AbortController()
  const submitted = submit(settings, 'plan.json', stopping.signal, nothing)
  const pid = await until(
    async () => Number(await readFile(join(dir, 'pid'), 'utf8').catch(() => '')),
    { what: 'the script runs' },
  )
  stopping.abort(new Error('closing'))
  await t.throwsAsync(submitted, { message: 'closing' })
  await until(
    async () => {
      // A process that has ended may stay in the list until it is collected.
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
      return stat === '' || / Z /.test(stat)
    },
    { what: 'its child has ended' },
  )
  t.pass()
})

test('properties: values may have commas; what is no property is refused', (t) => {
  const parsed = parseConf(['spark.jars.packages=a:b:1', 'c:d:2', 'spark.x=y=z'])
  t.deepEqual(parsed, { 'spark.jars.packages': 'a:b:1,c:d:2', 'spark.x': 'y=z' })
  const error = t.throws<ClickledgerError>(() => parseConf(['driver.memory=1g']))
  t.is(error?.code, 'invalid-settings')
})

test('keys are in the environment, never among the arguments; our settings are in neither', (t) => {
  const env = {
    CLICKLEDGER_S3_BUCKET: 'clicks',
    CLICKLEDGER_S3_ENDPOINT: 'http://127.0.0.1:9000',
    CLICKLEDGER_S3_ACCESS_KEY: 'the-access-key',
    CLICKLEDGER_S3_SECRET_KEY: 'the-secret-key',
    CLICKLEDGER_SECRET: 'x'.repeat(40),
    CLICKLEDGER_SPARK_CONF: 'spark.driver.memory=3g',
  }
  const settings = readSettings(env)
  const conf = sparkConf(settings)
  t.notRegex(JSON.stringify(conf), /the-access-key|the-secret-key/)
  t.is(conf['spark.driver.memory'], '3g')
  t.is(conf['spark.hadoop.fs.s3a.endpoint'], 'http://127.0.0.1:9000')
  t.deepEqual(sparkEnv(settings, { ...env, HOME: '/home/x' }), {
    HOME: '/home/x',
    AWS_ACCESS_KEY_ID: 'the-access-key',
    AWS_SECRET_ACCESS_KEY: 'the-secret-key',
  })
})

test('a cluster cannot read a directory of this machine', async (t) => {
  const settings = withScript(t, 'exit 1', { CLICKLEDGER_SPARK_MASTER: 'yarn' })
  const objects = await openObjectStore(settings)
  const error = await failure(t, stageNothing(settings, objects))
  t.is(error?.code, 'invalid-settings')
  t.regex(error?.message ?? '', /CLICKLEDGER_S3_BUCKET/)
})

test('hours without files need no Spark', async (t) => {
  const settings = withScript(t, 'exit 1')
  const staged = await stageNothing(settings, await openObjectStore(settings))
  t.deepEqual(staged, [
    { hour: 0, ruleSet: 1, files: [], valid: 0, duplicate: 0, invalid: 0, copies: 0 },
  ])
})

function stageNothing(
  settings: ReturnType<typeof readSettings>,
  objects: Awaited<ReturnType<typeof openObjectStore>>,
) {
  const hours = [{ hour: 0, files: [], clicks: 0 }]
  return stageWithSpark({
    ...{ settings, objects, runId: 'run', signal: never, onStaged: nothing },
    tasks: [{ ruleSet: defaultRuleSet, hours, lookBack: [] }],
    logger: createLogger('test', 'silent'),
  })
}
