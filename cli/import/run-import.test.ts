import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { createApi } from '../api.ts'
import { createProgress } from '../progress.ts'
import { type FakeInstance, startFake } from '../testing/fake-instance.ts'
import { temporaryDir, temporaryFile } from '../testing/files.ts'
import { openInput } from './read-lines.ts'
import { type ImportOptions, runImport } from './run-import.ts'

const quiet = () => createProgress('import', 'rows', { write: () => true })

async function importFile(
  t: ExecutionContext,
  fake: FakeInstance,
  file: string,
  more: Partial<ImportOptions> = {},
) {
  const rejectsPath = join(temporaryDir(t), 'rejects.jsonl')
  const summary = await runImport({
    input: await openInput(file),
    mapping: undefined,
    api: createApi(fake.url, fake.key),
    ingestUrl: fake.url,
    key: fake.key,
    rejectsPath,
    createAds: false,
    progress: quiet(),
    ...more,
  })
  const rejects = existsSync(rejectsPath)
    ? readFileSync(rejectsPath, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
    : []
  return { summary, rejects }
}

const clickLines = (count: number, adId = (i: number) => `ad-${i % 7}`) =>
  Array.from({ length: count }, (_, i) =>
    JSON.stringify({ ad_id: adId(i), timestamp_ms: 1_700_000_000_000 + (i % 50) }),
  )

test('all rows arrive once, through refused and lost answers; again changes nothing', async (t) => {
  const fake = await startFake(t)
  for (let i = 0; i < 7; i++) fake.addAd(`ad-${i}`)
  fake.faults.push('503', 'lost-answer', '429')
  const file = temporaryFile(t, 'clicks.jsonl', clickLines(3_210).join('\n'))
  const first = await importFile(t, fake, file)
  t.deepEqual(first.summary, {
    read: 3_210,
    accepted: 3_210,
    rejected: 0,
    reasons: {},
    ads_created: 0,
    rejects_file: null,
  })
  t.is(fake.clicks.size, 3_210, 'equal rows are distinct clicks')
  const second = await importFile(t, fake, file)
  t.is(second.summary.accepted, 3_210)
  t.is(fake.clicks.size, 3_210)
  const batches = fake.hits.filter((hit) => hit.path === '/import/clicks')
  t.true(batches.every((hit) => JSON.parse(hit.body).clicks.length <= 1_000))
})

test('refused rows are named with line, reason and row, whoever refuses them', async (t) => {
  const fake = await startFake(t)
  fake.addAd('ad-1')
  const bad = '{"ad_id":"ad-9","timestamp_ms":5}'
  const lines = [
    '{"ad_id":"ad-1","timestamp_ms":1}',
    'nonsense',
    '',
    bad,
    '{"ad_id":"ad-1","timestamp_ms":2}',
  ]
  const file = temporaryFile(t, 'clicks.jsonl', `${lines.join('\n')}\n`)
  const { summary, rejects } = await importFile(t, fake, file)
  t.is(summary.read, 4)
  t.is(summary.accepted, 2)
  t.deepEqual(summary.reasons, { 'malformed-row': 1, 'unknown-ad': 1 })
  t.deepEqual(
    rejects.map(({ line, reason, row }) => ({ line, reason, row })),
    [
      { line: 2, reason: 'malformed-row', row: 'nonsense' },
      { line: 4, reason: 'unknown-ad', row: bad },
    ],
  )
})

test('large rows make small batches: no body is over the limit', async (t) => {
  const fake = await startFake(t)
  fake.addAd('a')
  const row = (i: number) =>
    JSON.stringify({
      ad_id: 'a',
      timestamp_ms: i,
      referrer_url: `https://x.example/${'y'.repeat(9_000)}`,
    })
  const file = temporaryFile(t, 'c.jsonl', Array.from({ length: 700 }, (_, i) => row(i)).join('\n'))
  const { summary } = await importFile(t, fake, file)
  t.is(summary.accepted, 700)
  const batches = fake.hits.filter((hit) => hit.path === '/import/clicks')
  t.true(batches.length > 3)
  t.true(batches.every((hit) => Buffer.byteLength(hit.body) <= 2 * 1024 * 1024))
})

test('--create-ads makes what is missing and leaves what is there alone', async (t) => {
  const fake = await startFake(t)
  fake.addAd('ad-0', 'acme')
  fake.addAd('ad-1', 'other')
  const lines = clickLines(2_500, (i) => `ad-${i % 5}`)
  const file = temporaryFile(
    t,
    'c.jsonl',
    [...lines, '{"ad_id":"no id","timestamp_ms":1}'].join('\n'),
  )
  const { summary } = await importFile(t, fake, file, { createAds: true, advertiserId: 'acme' })
  t.is(summary.ads_created, 3)
  t.is(summary.accepted, 2_000)
  t.deepEqual(summary.reasons, { 'foreign-ad': 500, 'bad-request': 1 })
  t.is(fake.ads.get('ad-0')?.target_url, 'https://real.example/')
  t.deepEqual(fake.ads.get('ad-2'), {
    ad_id: 'ad-2',
    advertiser_id: 'acme',
    target_url: 'https://example.com/ad-2',
  })
})

test('an ingest that does not come back ends the import with its reason', async (t) => {
  const fake = await startFake(t)
  const file = temporaryFile(t, 'c.jsonl', clickLines(10).join('\n'))
  await t.throwsAsync(importFile(t, fake, file, { key: 'wrong' }), { message: /No valid API key/ })
})
