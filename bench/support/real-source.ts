// Archived clicks multiplied from real logs (../shared/data beside the checkout): each copy of the logs
// has visitors, addresses and impressions of its own, on the same ads and sites. Times of day,
// intervals between a visitor's clicks, user agents and the skew of ads are those of the logs.
import { randomBytes } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { jsonColumns } from '#schemas/columns.ts'
import { archivedFields, type RawClick } from '#schemas/fields.ts'
import { dayMs, hourMs } from '#schemas/paths.ts'
import { readMapping } from '../../cli/import/mapping.ts'
import { openInput } from '../../cli/import/read-lines.ts'
import { readRows } from '../../cli/import/read-rows.ts'
import { createAddressFacts } from '../../ingest/addresses.ts'
import { createAgentParser } from '../../ingest/agents.ts'
import { createFactStamper } from '../../ingest/facts.ts'
import { openGeography } from '../../ingest/geo.ts'
import { parseNetworks } from '../../ingest/network.ts'
import {
  ipinyou,
  type RealLog,
  realClicksMissing,
  talkingdata,
} from '../../tests/support/real-clicks.ts'
import { type ArchiveSource, fileClicksMax, hashSql } from './archive.ts'

/** Between the same click of two copies, so that they do not fall on the same instants. */
const copyShiftMs = 2_654_435

const stamper = () =>
  createFactStamper({
    addressFacts: createAddressFacts({
      ...{ geography: openGeography(''), ipKey: randomBytes(32), blocked: parseNetworks('', []) },
    }),
    agentOf: createAgentParser(),
    ...{ userKey: randomBytes(32), node: 'bench' },
  })

/** The clicks of a log with the facts that an import stamps. */
async function stamped(log: RealLog, advertiser: string): Promise<RawClick[]> {
  const stamp = stamper()
  const clicks: RawClick[] = []
  for (const file of log.files) {
    const mapping = await readMapping(log.mapping)
    for await (const rows of readRows(await openInput(file), mapping)) {
      for (const { result } of rows) {
        if (result.kind === 'reject') throw new Error(`${file}: ${result.detail}`)
        const { click, owner } = result
        clicks.push(
          stamp({
            ad: {
              ...{ ad_id: click.ad_id, advertiser_id: owner.advertiser_id ?? advertiser },
              ...{ campaign_id: '', target: undefined, signedOnly: false },
            },
            ...{ source: 'import', event_id: '', event_time: click.timestamp_ms },
            ...{ received_time: click.timestamp_ms, publisher_id: click.publisher_id ?? '' },
            ...{ impression_id: click.impression_id ?? '', user_id: click.user_id ?? '' },
            ...{ mayIdentify: true, address: click.ip_address ?? '' },
            ...{ user_agent: click.user_agent ?? '', referrer_url: '' },
            ...{ additional_params: undefined, isPrefetch: false, signatureMark: undefined },
          }),
        )
      }
    }
  }
  return clicks
}

const own = (column: string) =>
  `CASE WHEN ${column} = '' THEN '' ELSE ${hashSql(`concat(${column}, copy)`)} END`

/** Columns of the copy number `copy` of a click; the others stay as they are. */
const columns: Record<string, string> = {
  event_id: `concat(substr(md5(concat(event_id, copy)), 1, 8), '-', substr(md5(concat(event_id, copy)), 9, 4), '-7', substr(event_id, 16, 3), '-8', substr(event_id, 21, 3), '-', substr(event_id, 25, 12))`,
  ...{ event_time: 't', received_time: 't' },
  ...{ visitor: own('visitor'), ip_hash: own('ip_hash'), user_hash: own('user_hash') },
  impression_id: own('impression_id'),
  raw_partition: 'CAST(n % 4 AS INTEGER)',
  raw_offset: 'CAST(copy * 1000000 + n AS BIGINT)',
}

const fields = [
  ...archivedFields,
  { name: 'n', type: 'long', doc: 'Number of the click.' } as const,
]

/** @throws Error where the logs are not on this machine */
export function realSource(): ArchiveSource {
  if (realClicksMissing) throw new Error(realClicksMissing)
  const inHour = new Map<number, number>()
  let total = 0
  return {
    what: 'clicks multiplied from real logs',
    async prepare(connection, dir) {
      const clicks = [...(await stamped(talkingdata, 'td')), ...(await stamped(ipinyou, 'ipy'))]
      const path = join(dir, 'real.ndjson')
      writeFileSync(path, clicks.map((click, n) => JSON.stringify({ ...click, n })).join('\n'))
      await connection.run(
        `CREATE TABLE real AS SELECT * REPLACE (event_time % ${dayMs} AS event_time)
         FROM read_json('${path}', format = 'newline_delimited', columns = ${jsonColumns(fields)})`,
      )
      rmSync(path)
      total = clicks.length
      for (const { event_time } of clicks) {
        const hour = Math.floor((event_time % dayMs) / hourMs)
        inHour.set(hour, (inHour.get(hour) ?? 0) + 1)
      }
    },
    files({ hour, index, clicksPerHour }) {
      const copies = Math.max(1, Math.round((24 * clicksPerHour) / total))
      const ofDay = index % 24
      const first = Math.floor(index / 24) * copies
      const inFile = Math.max(1, Math.floor(fileClicksMax / (inHour.get(ofDay) ?? 1)))
      const list = archivedFields.map(({ name }) => `${columns[name] ?? name} AS ${name}`)
      const files: string[] = []
      for (let copy = first; copy < first + copies; copy += inFile) {
        files.push(`SELECT ${list.join(', ')} FROM (
          SELECT *, ${hour} + (event_time + copy * ${copyShiftMs}) % ${hourMs} AS t FROM real,
            range(${copy}, ${Math.min(first + copies, copy + inFile)}) r(copy)
          WHERE event_time // ${hourMs} = ${ofDay})`)
      }
      return files
    },
  }
}
