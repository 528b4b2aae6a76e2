import { Readable } from 'node:stream'
import test from 'ava'
import { limits } from '#schemas/limits.ts'
import { openTestCatalogue } from '../../tests/support/catalogue.ts'
import { failingCatalogue } from '../../tests/support/failing-catalogue.ts'
import { openFixture } from '../testing/fixture.ts'
import { type BulkResult, storeAds } from './bulk-ads.ts'

const lineOf = (i: number, more: object = {}) =>
  JSON.stringify({
    ...{ ad_id: `ad-${i}`, advertiser_id: `adv-${i % 7}`, campaign_id: `c-${i % 7}-${i % 3}` },
    ...{ target_url: `https://a.test/${i}`, ...more },
  })

/** Chunks cut anywhere, in the middle of characters too. */
const inChunks = (text: string, size: number) => {
  const bytes = Buffer.from(text)
  const chunks: Buffer[] = []
  for (let i = 0; i < bytes.length; i += size) chunks.push(bytes.subarray(i, i + size))
  return Readable.from(chunks)
}

test('lines in pieces, faults by their line, the same again changes nothing', async (t) => {
  const catalogue = await openTestCatalogue(t)
  const lines = Array.from({ length: 2_345 }, (_, i) => lineOf(i, { name: `Schuh ${i} ü` }))
  lines[10] = 'nonsense'
  lines[1_500] = lineOf(3, { advertiser_id: 'adv-0' })
  lines[2_000] = ''
  lines[2_001] = JSON.stringify({ ad_id: 'x'.repeat(70_000) })
  const seen: number[] = []
  const store = (size: number) =>
    storeAds({ catalogue, now: () => 1 }, inChunks(lines.join('\n'), size), ({ lines: n }) =>
      seen.push(n),
    )
  const result = await store(997)
  t.like(result, { lines: 2_345, upserted: 2_341, rejected: 3 })
  t.deepEqual(
    result.faults.map(({ line, reason }) => [line, reason]),
    [
      [11, 'bad-request'],
      [1_501, 'ad-owner'],
      [2_002, 'bad-request'],
    ],
  )
  t.regex(result.faults[2]?.detail ?? '', /longer than/)
  t.deepEqual(seen, [1_000, 2_000, 2_345])
  const all = 'SELECT * FROM ads ORDER BY ad_id'
  const before = await catalogue.query(all)
  t.is(before.length, 2_341)
  t.true(before.some((row) => row.name === 'Schuh 7 ü'))
  t.like(await store(64_000), { upserted: 2_341, rejected: 3 })
  t.deepEqual(await catalogue.query(all), before)
})

test('broken off and sent again: as if it had been sent once', async (t) => {
  const catalogue = failingCatalogue(await openTestCatalogue(t))
  const text = Array.from({ length: 3_000 }, (_, i) => lineOf(i)).join('\n')
  let stored: BulkResult | undefined
  const first = storeAds({ catalogue, now: () => 1 }, inChunks(text, 10_000), (result) => {
    stored = { ...result }
    if (result.lines === 2_000) catalogue.weather = 'refuses'
  })
  await t.throwsAsync(first, { code: 'unavailable' })
  t.like(stored, { lines: 2_000, upserted: 2_000 })
  catalogue.weather = 'fine'
  const [half] = await catalogue.query('SELECT count(*) AS n FROM ads')
  t.is(half?.n, 2_000)
  await storeAds({ catalogue, now: () => 2 }, inChunks(text, 10_000), () => {})
  const [whole] = await catalogue.query(
    'SELECT count(*) AS n, max(revision) AS revision, sum(updated_at) AS updated FROM ads',
  )
  t.deepEqual({ ...whole }, { n: 3_000, revision: 1, updated: 4_000 })
})

test('too many lines: what is stored is said, and recorded', async (t) => {
  const { inject, catalogue } = await openFixture(t)
  const line = `${lineOf(1)}\n`
  const payload = line.repeat(limits.bulkLinesMax + 5)
  const headers = { 'content-type': 'application/x-ndjson' }
  const answer = await inject({ url: '/v1/ads:bulk', method: 'POST', payload, headers }, 'engineer')
  t.is(answer.statusCode, 413)
  t.regex(answer.json().detail, /Lines 1 to 50000 are stored/)
  const [row] = await catalogue.query('SELECT action, detail FROM audit_log')
  t.is(row?.action, 'ads.bulk')
  t.is(JSON.parse(String(row?.detail)).upserted, limits.bulkLinesMax)
})

test('other bodies are refused, and none is stored', async (t) => {
  const { inject } = await openFixture(t)
  const send = (payload: string | undefined, type: string | undefined) =>
    inject(
      {
        ...{ url: '/v1/ads:bulk', method: 'POST' },
        ...(payload === undefined ? {} : { payload }),
        ...(type === undefined ? {} : { headers: { 'content-type': type } }),
      },
      'engineer',
    )
  t.is((await send('[]', 'application/json')).statusCode, 415)
  t.is((await send(undefined, undefined)).statusCode, 415)
  t.deepEqual((await send('', 'application/x-ndjson')).json(), {
    ...{ lines: 0, upserted: 0, rejected: 0, faults: [] },
  })
})
