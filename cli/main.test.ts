import test from 'ava'
import { type FakeInstance, startFake } from './testing/fake-instance.ts'
import { temporaryFile } from './testing/files.ts'
import { runCli as run } from './testing/run-cli.ts'

const on = (fake: FakeInstance) => ({ CLICKLEDGER_URL: fake.url, CLICKLEDGER_KEY: fake.key })

test('help is no fault and has examples; wrong use is exit code 2', async (t) => {
  const [help, none, unknown, missing, badNumber] = await Promise.all([
    run(t, ['import', '--help']),
    run(t, ['frobnicate']),
    run(t, ['import', 'x', '--frobnicate']),
    run(t, ['import', 'no-such-file.jsonl']),
    run(t, ['simulate', '--rate', '-3']),
  ])
  t.is(help.code, 0)
  t.regex(help.stdout, /Examples:/)
  t.deepEqual([none.code, unknown.code, missing.code, badNumber.code], [2, 2, 2, 2])
  t.regex(missing.stderr, /cannot read no-such-file\.jsonl/)
})

test('wrong settings are exit code 2, with all faults', async (t) => {
  const { code, stderr } = await run(t, ['status'], {
    CLICKLEDGER_PARTITIONS: 'many',
    CLICKLEDGER_INGRES_PORT: '1',
  })
  t.is(code, 2)
  t.regex(stderr, /CLICKLEDGER_PARTITIONS/)
  t.regex(stderr, /CLICKLEDGER_INGRES_PORT: no such setting/)
})

test('import, with a rebuild, through a URL: the summary on stdout, progress as JSON lines', async (t) => {
  const fake = await startFake(t)
  const file = temporaryFile(t, 'c.csv', 'ad,at\nx,1700000000000\ny,1700000000001\nz,bad\n')
  const mapping = temporaryFile(
    t,
    'm.json',
    JSON.stringify({
      format: 'csv',
      header: true,
      fields: { ad_id: { column: 'ad' }, timestamp_ms: { column: 'at', format: 'epoch-ms' } },
    }),
  )
  const args = [
    'import',
    file,
    '--mapping',
    mapping,
    '--create-ads',
    '--advertiser',
    'acme',
    '--rebuild',
  ]
  const { code, stdout, stderr } = await run(t, args, on(fake))
  t.is(code, 0, stderr)
  t.like(JSON.parse(stdout), {
    read: 3,
    accepted: 2,
    reasons: { 'bad-time': 1 },
    ads_created: 2,
    rejects_file: 'c.csv.rejects.jsonl',
    rebuild: { run_id: 'run-1', hours: 2 },
  })
  for (const line of stderr.trim().split('\n')) t.notThrows(() => JSON.parse(line))
})

test('keys, ads, rebuild; what the server refuses is exit code 1', async (t) => {
  const fake = await startFake(t)
  const ads = temporaryFile(
    t,
    'ads.jsonl',
    '{"ad_id":"a","advertiser_id":"acme","target_url":"https://a.example/"}\n{"ad_id":"b c"}\n',
  )
  const rules = temporaryFile(t, 'rules.json', '{"rules":[{}]}')
  const [key, imported, rebuilt, refused, denied, wrongHour] = await Promise.all([
    run(t, ['keys', 'create', '--role', 'advertiser', '--advertiser', 'acme'], on(fake)),
    run(t, ['ads', 'import', ads], on(fake)),
    run(t, ['rebuild', '--dirty', '--wait'], on(fake)),
    run(t, ['rules', 'set', rules], on(fake)),
    run(t, ['status', '--url', fake.url, '--key', 'wrong']),
    run(t, ['rebuild', '--from', '2026-11-22T05:30:00Z', '--to', '2026-11-22T07:00:00Z'], on(fake)),
  ])
  t.is(key.stdout, 'clk_new\n')
  t.like(JSON.parse(imported.stdout), { upserted: 1, rejected: 1 })
  t.is(JSON.parse(imported.stdout).rejected_lines[0].line, 2)
  t.like(JSON.parse(rebuilt.stdout), { status: 'done', hours_done: 2 })
  t.is(refused.code, 1)
  t.regex(refused.stderr, /rules\[0\]\.id.*\[invalid-rule-set\]/s)
  t.is(denied.code, 1)
  t.is(wrongHour.code, 2)
})

test('reconcile: a table that a person can read, alarms first in their line; or JSON', async (t) => {
  const fake = await startFake(t)
  const range = ['--from', '2026-11-21', '--to', '2026-11-22']
  const [shown, json, swapped] = await Promise.all([
    run(t, ['reconcile', ...range], on(fake)),
    run(t, ['reconcile', ...range, '--json'], on(fake)),
    run(t, ['reconcile', '--from', '2026-11-22', '--to', '2026-11-21'], on(fake)),
  ])
  t.deepEqual(shown.stdout.trimEnd().split('\n'), [
    '   hour              advertiser  class             clicks',
    '   2026-11-21T10:00  acme        late               1,200',
    '!  2026-11-21T10:00  acme        missing-in-speed       1',
    '! of-missing-in-speed of 2026-11-21T10:05:00.000Z, clicks.raw 3/17: batch says valid, speed nothing',
    '2026-11-21T11:00 waits: the archive is behind',
    '1 hours with 5,000 clicks compared, 1 waiting, 2 not looked at yet',
    'differences: 1,200 late, 1 missing-in-speed',
  ])
  t.is(JSON.parse(json.stdout).data.length, 2)
  t.is(swapped.code, 2)
})

test('keys are listed, rotated and revoked; several tenants make one key', async (t) => {
  const fake = await startFake(t)
  const env = on(fake)
  const many = [
    '--role',
    'advertiser',
    '--advertiser',
    'a',
    '--advertiser',
    'b',
    '--expires',
    '90d',
  ]
  const [list, rotated, revoked, made, entries, help] = await Promise.all([
    run(t, ['keys', 'list'], env),
    run(t, ['keys', 'rotate', 'key_1', '--grace', '1h'], env),
    run(t, ['keys', 'revoke', 'key_1'], env),
    run(t, ['keys', 'create', ...many], env),
    run(t, ['audit', '--action', 'keys.', '--limit', '5'], env),
    run(t, ['keys', 'rotate', '--help']),
  ])
  t.regex(list.stdout, /key_1 +clk_abc +engineer +all +airflow/)
  t.is(rotated.stdout, 'clk_newer\n')
  t.regex(revoked.stdout, /key_1 .* is revoked/)
  t.is(made.stdout, 'clk_new\n')
  t.regex(entries.stdout, /admin:clk_abc +keys\.revoke +key_1 +\{"why":"leaked"\}/)
  t.regex(help.stdout, /Examples:/)
  const bodyOf = (method: string, path: string) =>
    fake.hits.find((hit) => hit.method === method && hit.path === path)?.body ?? '{}'
  t.deepEqual(JSON.parse(bodyOf('POST', '/v1/keys/key_1/rotate')), { grace_seconds: 3600 })
  t.like(JSON.parse(bodyOf('POST', '/v1/keys')), { role: 'advertiser', advertiser_ids: ['a', 'b'] })
  t.true(fake.hits.some(({ path }) => path === '/v1/audit?action=keys.&limit=5'))
})
