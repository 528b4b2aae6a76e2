// The whole way where no instance runs: the command starts one, imports, rebuilds and stops it.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { temporaryDir, temporaryFile } from './testing/files.ts'
import { runCli } from './testing/run-cli.ts'

const rows = 700
const start = Date.UTC(2024, 2, 1)
/** Half of the clicks repeat the one before within ten seconds; every seventh is a robot's. */
const lines = Array.from({ length: rows }, (_, i) =>
  JSON.stringify({
    ad_id: `ad-${i % 5}`,
    ip_address: `91.64.1.${Math.floor(i / 10)}`,
    user_id: `user-${Math.floor(i / 10)}`,
    user_agent: i % 7 === 0 ? 'curl/8.0' : 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0',
    timestamp_ms: start + Math.floor(i / 10) * 60_000 + (i % 10) * 500,
  }),
)

test('an import with nothing running ends judged, archived and rebuilt; again changes nothing', async (t) => {
  const dir = temporaryDir(t)
  const env = { CLICKLEDGER_DATA_DIR: dir, CLICKLEDGER_LOG_LEVEL: 'error' }
  const file = temporaryFile(t, 'clicks.jsonl', `${lines.join('\n')}\nnonsense\n`)
  const args = ['import', file, '--create-ads', '--advertiser', 'acme', '--rebuild']
  const countsNow = async () => {
    const { stdout, stderr } = await runCli(t, ['status', '--json'], env)
    t.notThrows(() => JSON.parse(stdout), stderr)
    return JSON.parse(stdout).counts
  }
  const first = await runCli(t, args, env)
  t.is(first.code, 0, first.stderr)
  t.like(JSON.parse(first.stdout), {
    read: rows + 1,
    accepted: rows,
    reasons: { 'malformed-row': 1 },
    ads_created: 5,
    rebuild: { hours: 2 },
  })
  t.false(existsSync(join(dir, 'instance.json')), 'the private instance is gone')
  const counts = await countsNow()
  t.is(counts.gross, rows)
  t.is(counts.valid + counts.duplicate + counts.invalid, rows)
  t.is(counts.invalid, rows / 7, 'the robots')
  t.true(counts.duplicate > rows / 4)

  const second = await runCli(t, args, env)
  t.is(second.code, 0, second.stderr)
  t.is(JSON.parse(second.stdout).accepted, rows)
  t.deepEqual(await countsNow(), counts)
})
