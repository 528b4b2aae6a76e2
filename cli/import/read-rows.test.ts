import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import test from 'ava'
import { isbot } from 'isbot'
import { lineBytesMax } from '#core/lines.ts'
import { temporaryFile } from '../testing/files.ts'
import type { ClickJson } from './click.ts'
import { createEventIds } from './event-ids.ts'
import { type Mapping, parseMapping, readMapping } from './mapping.ts'
import { openInput } from './read-lines.ts'
import { type FileRow, readRows } from './read-rows.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))

async function rowsOf(path: string, mapping?: Mapping): Promise<FileRow[]> {
  const rows: FileRow[] = []
  for await (const block of readRows(await openInput(path), mapping)) rows.push(...block)
  return rows
}

const clicksOf = (rows: readonly FileRow[]): ClickJson[] =>
  rows.flatMap(({ result }) => (result.kind === 'click' ? [result.click] : []))
const reasonsOf = (rows: readonly FileRow[]) =>
  rows.flatMap(({ line, result }) => (result.kind === 'reject' ? [`${line} ${result.reason}`] : []))

const csv = (more: object = {}) =>
  parseMapping(
    {
      format: 'csv',
      header: true,
      fields: {
        ad_id: { column: 'ad', prefix: 'ad-' },
        user_agent: { column: 'agent' },
        ip_address: { column: 'ip', maskedOctet: '0' },
        timestamp_ms: { column: 'time', format: 'epoch-ms' },
      },
      ...more,
    },
    'test',
  )

test('one bad row never stops the rest; each is named with its line', async (t) => {
  const file = temporaryFile(
    t,
    'clicks.csv',
    [
      '\uFEFFad,agent,ip,time',
      '1,"Mozilla, ""5.0""",49.223.203.*,1000',
      '2,"unclosed,1.2.3.4,2000',
      '3,too,many,1.2.3.4,3000',
      '',
      `4,${'x'.repeat(lineBytesMax)},1.2.3.4,4000`,
      '5,a,1.2.3.4,soon',
      ',a,1.2.3.4,6000',
      '7,b,,7000\r',
      '8,"c",1.2.3.4,8000',
    ].join('\n'),
  )
  const rows = await rowsOf(file, csv())
  t.deepEqual(reasonsOf(rows), [
    '3 malformed-row',
    '4 column-count',
    '6 malformed-row',
    '7 bad-time',
    '8 missing-field',
  ])
  t.deepEqual(clicksOf(rows), [
    { ad_id: 'ad-1', timestamp_ms: 1000, user_agent: 'Mozilla, "5.0"', ip_address: '49.223.203.0' },
    { ad_id: 'ad-7', timestamp_ms: 7000, user_agent: 'b' },
    { ad_id: 'ad-8', timestamp_ms: 8000, user_agent: 'c', ip_address: '1.2.3.4' },
  ])
})

test('a file whose every row is quoted, with one stray quote, loses that row only', async (t) => {
  const lines = Array.from({ length: 2_500 }, (_, i) => `"${i}","agent, ${i}","1.2.3.4","${i}"`)
  lines[1_200] = '"1200","agent,"1.2.3.4","1200"'
  lines[1_300] = '"1300","agent","1.2.3.4","1300'
  const file = temporaryFile(t, 'q.csv', `"ad","agent","ip","time"\n${lines.join('\n')}\n`)
  const rows = await rowsOf(file, csv())
  t.deepEqual(reasonsOf(rows), ['1202 malformed-row', '1302 malformed-row'])
  t.is(clicksOf(rows).length, 2_498)
})

test('constants, templates, null values, integer addresses', async (t) => {
  const mapping = parseMapping(
    {
      format: 'tsv',
      columns: ['ip', 'os', 'time', 'user'],
      nullValues: ['null'],
      fields: {
        ad_id: { value: 'ad-1' },
        user_agent: { template: 'App (os {os})' },
        user_id: { column: 'user' },
        ip_address: { column: 'ip', integerIp: true },
        timestamp_ms: { column: 'time', format: 'yyyy-MM-dd HH:mm:ss', zone: 'Asia/Shanghai' },
        additional_params: { os: { column: 'os' } },
      },
    },
    'test',
  )
  const file = temporaryFile(
    t,
    'c.tsv.gz',
    gzipSync('364778\t"13\t2017-11-07 09:30:38\tnull\n99999999\t1\t2017-11-07 09:30:38\tu\n'),
  )
  const rows = await rowsOf(file, mapping)
  t.deepEqual(reasonsOf(rows), ['2 bad-ip'])
  t.deepEqual(clicksOf(rows), [
    {
      ad_id: 'ad-1',
      timestamp_ms: Date.parse('2017-11-07T01:30:38Z'),
      user_agent: 'App (os "13)',
      ip_address: '10.5.144.234',
      additional_params: { os: '"13' },
    },
  ])
})

test('JSON lines need no mapping; equal rows are distinct clicks with stable ids', async (t) => {
  const rows = [
    { ad_id: 'a', timestamp_ms: 1 },
    { timestamp_ms: 1, ad_id: 'a' },
    { ad_id: 'a', timestamp_ms: 2, event_id: 'B6C8C1D0-3B9D-4B8E-8C55-000000000000' },
    { ad_id: 'a' },
  ]
  const text = `${rows.map((row) => JSON.stringify(row)).join('\n')}\n[]\n{"ad_id":\n`
  const file = temporaryFile(t, 'c.jsonl', text)
  const idsOf = async () => {
    const give = createEventIds()
    return clicksOf(await rowsOf(file)).map((click) => {
      give(click)
      return click.event_id
    })
  }
  const ids = await idsOf()
  t.is(new Set(ids).size, 4)
  t.is(ids[2], 'B6C8C1D0-3B9D-4B8E-8C55-000000000000')
  t.deepEqual(await idsOf(), ids)
  t.deepEqual(reasonsOf(await rowsOf(file)), ['5 malformed-row', '6 malformed-row'])
})

test('a file without the columns of the mapping is refused at once', async (t) => {
  const file = temporaryFile(t, 'c.csv', 'ad,agent\n1,2\n')
  await t.throwsAsync(rowsOf(file, csv()), { name: 'WrongUse', message: /no column ip, time/ })
  t.throws(() => csv({ quoted: 'yes' }), { name: 'WrongUse', message: /quoted/ })
  t.throws(() => csv({ columns: ['ad'] }), { name: 'WrongUse', message: /not both/ })
})

const real = [
  { file: 'ipinyou/clk.20130606.txt', mapping: 'ipinyou', rows: 1_289, zoneHours: 8 },
  { file: 'talkingdata/clicks_1106_1108.csv', mapping: 'talkingdata', rows: 71_439, zoneHours: 0 },
]
for (const { file, mapping, rows: expected } of real) {
  test(`reads all of ${file}`, async (t) => {
    const path = `${root}../shared/data/${file}`
    if (!existsSync(path)) {
      t.log(`skipped: ../shared/data/${file} is not here`)
      return t.pass()
    }
    const rows = await rowsOf(path, await readMapping(`${root}mappings/${mapping}.json`))
    const clicks = clicksOf(rows)
    t.deepEqual(reasonsOf(rows), [])
    t.is(clicks.length, expected)
    const give = createEventIds()
    for (const click of clicks) give(click)
    t.is(new Set(clicks.map((click) => click.event_id)).size, expected)
    t.true(clicks.every((click) => /^\d+\.\d+\.\d+\.\d+$/.test(click.ip_address ?? '')))
    const day = file.includes('2013') ? '2013-06-06' : '2017-11-0'
    const zoneMs = file.includes('2013') ? 8 * 3_600_000 : 0
    t.true(clicks.every((c) => new Date(c.timestamp_ms + zoneMs).toISOString().startsWith(day)))
    if (mapping !== 'talkingdata') return
    t.false(
      clicks.some((click) => isbot(click.user_agent ?? '')),
      'the stand-in is no robot',
    )
    const addresses = new Set(clicks.map((click) => click.ip_address)).size
    t.is(addresses, new Set(rows.map((row) => row.text.split(',')[0])).size, 'injective')
  })
}
