// Alert rules through Prometheus' own tool, and the metrics of a running instance through its
// linter. promtool comes from Debian's package prometheus.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { readSettings } from '#platform/config.ts'
import { startAll } from '../../cli/start.ts'
import { scratchDir } from '../../tests/support/contract.ts'

const here = fileURLToPath(new URL('.', import.meta.url))

const run = (command: string, args: readonly string[], input = '') =>
  spawnSync(command, args, { cwd: here, input, encoding: 'utf8' })

function hasPromtool(): boolean {
  return run('promtool', ['--version']).error === undefined
}

/** Installs promtool where this may; says what to do where it may not. */
function needPromtool(t: ExecutionContext): void {
  if (hasPromtool()) return
  if (process.getuid?.() === 0) {
    run('apt-get', ['update'])
    run('apt-get', ['install', '--yes', '--no-install-recommends', 'prometheus'])
  }
  if (!hasPromtool()) t.fail('promtool is missing: install the Debian package prometheus')
}

const isDone = (t: ExecutionContext, { status, stdout, stderr }: ReturnType<typeof run>) =>
  t.is(status, 0, `${stdout}\n${stderr}`)

/** Node's own names as prom-client gives them, and an hour that is a thing and no unit. */
const allowed =
  /_nodejs_active_(handles|requests|resources)_total |base unit "seconds" instead of "hours"/

test.serial('promtool accepts the rules', (t) => {
  needPromtool(t)
  isDone(t, run('promtool', ['check', 'rules', 'alerts.yaml']))
})

test.serial('alerts fire when they should, and are silent when they should be', (t) => {
  needPromtool(t)
  isDone(t, run('promtool', ['test', 'rules', 'alerts.test.yaml']))
})

test.serial('what an instance tells is well formed: every layer, each metric once', async (t) => {
  needPromtool(t)
  const settings = readSettings({
    CLICKLEDGER_DATA_DIR: scratchDir(t),
    CLICKLEDGER_INGEST_PORT: '0',
    CLICKLEDGER_SERVING_PORT: '0',
    CLICKLEDGER_LOG_LEVEL: 'silent',
  })
  const instance = await startAll(settings, { quiet: true })
  t.teardown(instance.close)
  const answer = await fetch(`${instance.servingUrl}/metrics`)
  const text = await answer.text()
  for (const layer of ['ingest', 'speed', 'archive', 'rebuild', 'serving']) {
    t.true(text.includes(`layer="${layer}"`), layer)
  }
  const faults = run('promtool', ['check', 'metrics'], text).stderr.split('\n')
  t.deepEqual(
    faults.filter((fault) => fault !== '' && !allowed.test(fault)),
    [],
  )
})
