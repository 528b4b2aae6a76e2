import test from 'ava'
import fc from 'fast-check'
import { openTestCatalogue } from '../../tests/support/catalogue.ts'
import { seed } from '../../tests/support/random-clicks.ts'
import { type AdRow, adRowsOf, findAd, type RejectedAd, targetFault, upsertAds } from './ads.ts'
import { ensureDefaults } from './defaults.ts'

const ad = (fields: object = {}) => ({
  ad_id: 'ad-1',
  advertiser_id: 'adv-1',
  target_url: 'https://shop.test/?id={click_id}',
  ...fields,
})
const rowsOf = (...values: unknown[]): AdRow[] => values.map((value, i) => ({ line: i + 1, value }))

test('missing advertisers and campaigns are made; absent fields keep what was', async (t) => {
  const catalogue = await openTestCatalogue(t)
  const first = ad({ campaign_id: 'c-1', name: 'One', advertiser_name: 'Shop' })
  t.deepEqual(await upsertAds(catalogue, 1, rowsOf(first)), { upserted: 1, rejected: [] })
  await upsertAds(catalogue, 2, rowsOf(ad({ target_url: 'https://shop.test/2' })))
  t.deepEqual(
    { ...(await findAd(catalogue, 'ad-1')) },
    {
      ad_id: 'ad-1',
      advertiser_id: 'adv-1',
      campaign_id: 'c-1',
      name: 'One',
      target_url: 'https://shop.test/2',
    },
  )
  await upsertAds(catalogue, 3, rowsOf(ad({ campaign_id: '' })))
  t.is((await findAd(catalogue, 'ad-1'))?.campaign_id, '')
  const [advertiser] = await catalogue.query('SELECT name FROM advertisers')
  t.is(advertiser?.name, 'Shop')
})

test('an ad never changes its advertiser, nor takes a foreign campaign', async (t) => {
  const catalogue = await openTestCatalogue(t)
  const { upserted, rejected } = await upsertAds(
    catalogue,
    1,
    rowsOf(
      ad({ campaign_id: 'c-1' }),
      ad({ advertiser_id: 'adv-2' }),
      ad({ ad_id: 'ad-2', advertiser_id: 'adv-2', campaign_id: 'c-1' }),
    ),
  )
  t.is(upserted, 1)
  t.deepEqual(
    rejected.map(({ line, reason }) => [line, reason]),
    [
      [2, 'ad-owner'],
      [3, 'ad-owner'],
    ],
  )
  t.is((await findAd(catalogue, 'ad-1'))?.advertiser_id, 'adv-1')
})

test('bad rows are named by line and stop no other', async (t) => {
  const catalogue = await openTestCatalogue(t)
  const lines = [
    'no json',
    JSON.stringify(ad({ ad_id: 'a b' })),
    '',
    JSON.stringify(ad({ colour: 'red' })),
    JSON.stringify(ad({ target_url: 'javascript:alert(1)' })),
    '[]',
    JSON.stringify(ad()),
  ]
  const { upserted, rejected } = await upsertAds(catalogue, 1, adRowsOf(lines.join('\n')))
  t.is(upserted, 1)
  t.deepEqual(
    rejected.map(({ line, reason }) => [line, reason]),
    [
      [1, 'bad-request'],
      [2, 'bad-request'],
      [4, 'bad-request'],
      [5, 'bad-target'],
      [6, 'bad-request'],
    ],
  )
})

test('more rows than a transaction takes', async (t) => {
  const catalogue = await openTestCatalogue(t)
  const many = Array.from({ length: 1_203 }, (_, i) =>
    ad({ ad_id: `ad-${String(i).padStart(4, '0')}`, advertiser_id: `adv-${i % 2}` }),
  )
  t.is((await upsertAds(catalogue, 1, rowsOf(...many))).upserted, 1_203)
  const [row] = await catalogue.query("SELECT count(*) AS n FROM ads WHERE advertiser_id = 'adv-1'")
  t.is(row?.n, 601)
})

test('many at once mean the same as one after the other', async (t) => {
  const oneOf = (...values: string[]) => fc.constantFrom(...values)
  const row = fc.record(
    {
      ad_id: oneOf('ad-1', 'ad-2', 'ad-3', 'ad-4', 'ad-5', 'ad-6', 'ad-7', 'ad-8'),
      advertiser_id: oneOf('adv-1', 'adv-2', 'adv-3'),
      target_url: oneOf('https://shop.test/1', 'https://shop.test/2', '/relative'),
      campaign_id: oneOf('', 'c-1', 'c-2', 'c-3', 'c-4'),
      name: oneOf('', 'One', 'Two'),
      advertiser_name: oneOf('Shop', 'Store'),
      campaign_name: oneOf('Spring', 'Autumn'),
    },
    { requiredKeys: ['ad_id', 'advertiser_id', 'target_url'] },
  )
  t.log({ seed })
  const rows = fc.sample(row, { seed, numRuns: 400 })
  const together = await openTestCatalogue(t)
  const apart = await openTestCatalogue(t)
  const result = await upsertAds(together, 7, rowsOf(...rows))
  const each = { upserted: 0, rejected: [] as RejectedAd[] }
  for (const [i, row] of rows.entries()) {
    const { upserted, rejected } = await upsertAds(apart, 7, [{ line: i + 1, value: row }])
    each.upserted += upserted
    each.rejected.push(...rejected)
  }
  t.deepEqual(result, each)
  t.true(result.rejected.length > 20 && result.upserted > 20)
  // A revision counts what was written, and of what comes together only the last is.
  const all = {
    advertisers: 'advertiser_id, name, signed_only, created_at',
    campaigns: 'campaign_id, advertiser_id, name, created_at',
    ads: 'ad_id, advertiser_id, campaign_id, name, target_url, created_at, updated_at',
  }
  for (const [table, columns] of Object.entries(all)) {
    const rows = `SELECT ${columns} FROM ${table} ORDER BY 1`
    t.deepEqual(await together.query(rows), await apart.query(rows), table)
  }
})

test('targets', (t) => {
  for (const url of ['http://a.test', 'https://a.test:8443/x?y={ad_id}#z', 'HTTPS://A.test/']) {
    t.is(targetFault(url), undefined, url)
  }
  for (const url of [
    '/relative',
    '//a.test/',
    'ftp://a.test/',
    'javascript:alert(1)',
    'https://',
    'https://user:pass@a.test/',
    'https://{ad_id}.test/',
    'https://a.test/\r\nset-cookie: x',
    'https:\\\\a.test',
    `https://a.test/${'x'.repeat(3_000)}`,
  ]) {
    t.truthy(targetFault(url), url)
  }
})

test('defaults are made once', async (t) => {
  const catalogue = await openTestCatalogue(t)
  const now = Date.UTC(2026, 10, 22, 5, 30)
  await ensureDefaults(catalogue, now)
  await ensureDefaults(catalogue, now + 7_200_000)
  const boundaries = await catalogue.query('SELECT boundary FROM boundaries')
  t.deepEqual(
    boundaries.map((row) => Number(row.boundary)),
    [Date.UTC(2026, 10, 22, 5)],
  )
  t.is((await catalogue.query('SELECT version FROM rule_sets')).length, 1)
})
