// kill -9 under load: every click that got its answer is in the log in the end. Copies may be there
// (the identity collapses them), and clicks whose answer was on its way.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import type { Settings } from '#platform/config.ts'
import { until } from '#platform/wait.ts'
import { browser, clicksInLog, newSettings, startIngest } from './test-support.ts'

const rounds = 4
const clients = 20
const answersBeforeKill = 150

async function startChild(settings: Settings) {
  const env = {
    PATH: process.env.PATH,
    CLICKLEDGER_DATA_DIR: settings.CLICKLEDGER_DATA_DIR,
    CLICKLEDGER_INGEST_PORT: '0',
    CLICKLEDGER_WAL_SEGMENT_BYTES: '8KiB',
    CLICKLEDGER_LOG_LEVEL: 'warn',
  }
  const file = fileURLToPath(new URL('./test-child.ts', import.meta.url))
  const child = spawn(process.execPath, [file], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const [url] = (await once(createInterface(child.stdout), 'line')) as [string]
  return { child, url }
}

test('killed under load: no answered click is lost', async (t) => {
  const settings = await newSettings(t)
  const answered = new Set<string>()
  for (let round = 0; round < rounds; round++) {
    const { child, url } = await startChild(settings)
    t.teardown(() => child.kill('SIGKILL'))
    const enough = answered.size + answersBeforeKill
    let isDead = false
    const client = async () => {
      while (!isDead) {
        const headers = { 'user-agent': browser }
        const answer = await fetch(`${url}/click/ad-1`, { redirect: 'manual', headers })
        const id = answer.headers.get('x-click-id')
        if (id) answered.add(id)
      }
    }
    const running = Array.from({ length: clients }, () => client().catch(() => {}))
    await until(() => answered.size >= enough, { what: 'answers' })
    child.kill('SIGKILL')
    await once(child, 'exit')
    isDead = true
    await Promise.all(running)
  }
  t.log(`${answered.size} answered clicks, ${rounds} kills`)
  const last = await startIngest(t, settings)
  await until(
    async () => (await last.get('/readyz').then((r) => r.text())).includes('"wal_depth_clicks":0'),
    { what: 'everything is shipped' },
  )
  const inLog = new Set((await clicksInLog(settings, answered.size)).map((c) => c.event_id))
  t.deepEqual(
    [...answered].filter((id) => !inLog.has(id)),
    [],
  )
})
