// Wrong settings and a second instance: one clear message, nothing touched.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { scratchDir } from '../support/contract.ts'
import { ingestUrlOf, servingUrlOf, startProgram } from '../support/processes.ts'

const wrong = {
  CLICKLEDGER_INGEST_PORT: '99999',
  CLICKLEDGER_PARTITIONS: '0',
  CLICKLEDGER_LOG_LEVEL: 'loud',
  CLICKLEDGER_WAL_BYTES_MAX: 'lots',
  CLICKLEDGER_LATENESS: '10 minutes',
  CLICKLEDGER_TRUSTED_PROXIES: '127.0.0.0/8,10.0.0.0/99',
  CLICKLEDGER_BLOCKED_IPS: 'everybody',
  CLICKLEDGER_GEO_DATABASE: '/no/such/database.mmdb',
  CLICKLEDGER_SECRET: 'too short',
  CLICKLEDGER_PARTITONS: '4',
} as const

for (const command of ['start', 'ingest', 'serve'] as const) {
  test(`${command} with wrong settings: all faults at once, exit code 2, nothing made`, async (t) => {
    const dataDir = join(scratchDir(t), 'data')
    const program = startProgram(t, command, { ...wrong, CLICKLEDGER_DATA_DIR: dataDir })
    t.deepEqual(await program.ended, { code: 2, signal: null })
    const faults = Object.keys(wrong)
    t.true(program.stderr.includes(`The settings have ${faults.length} faults`), program.stderr)
    for (const name of faults) t.is(program.stderr.split(`  ${name}: `).length, 2, name)
    t.false(program.stderr.includes(wrong.CLICKLEDGER_SECRET), 'secrets are not shown')
    t.notRegex(program.stderr, /\n\s+at /, 'no stack')
    t.false(existsSync(dataDir))
  })
}

test('a second instance on the same data is refused, and the first one does not notice', async (t) => {
  const env = { CLICKLEDGER_DATA_DIR: scratchDir(t) }
  const first = startProgram(t, 'start', env)
  const ingestUrl = await ingestUrlOf(first)

  const second = startProgram(t, 'start', env)
  t.deepEqual(await second.ended, { code: 1, signal: null })
  t.regex(second.stderr, /another process uses .*\[already-running\]/)

  // Nor can a layer of its own take the write-ahead log or the store away.
  const layers = [startProgram(t, 'ingest', env), startProgram(t, 'serve', env)]
  for (const layer of layers) {
    t.is((await layer.ended).code, 1, layer.stderr)
    t.regex(layer.stderr, /\[already-running\]/)
  }

  const click = await fetch(`${ingestUrl}/click/demo-ad`, { redirect: 'manual' })
  t.is(click.status, 302)
  t.truthy(click.headers.get('x-click-id'))
  t.is((await fetch(`${ingestUrl}/readyz`)).status, 200)
  t.is((await fetch(`${await servingUrlOf(first)}/readyz`)).status, 200)
  t.true(existsSync(join(env.CLICKLEDGER_DATA_DIR, 'instance.json')))
  t.deepEqual(await first.end('SIGTERM'), { code: 0, signal: null })
})
