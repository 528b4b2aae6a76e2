// Ads as advertisers hand them in: checked one by one, stored in transactions of many. An ad never
// changes its advertiser: clicks already counted are billed to the one they were stamped with.
import { ClickledgerError, type ErrorCode } from '#schemas/errors.ts'
import { idPattern, limits } from '#schemas/limits.ts'
import type { Catalogue, Queryable } from './port.ts'

export interface AdInput {
  readonly ad_id: string
  readonly advertiser_id: string
  /** Absent: stays as it was; empty: none. */
  readonly campaign_id?: string
  readonly target_url: string
  readonly name?: string
  readonly advertiser_name?: string
  readonly campaign_name?: string
}

export interface Ad {
  readonly ad_id: string
  readonly advertiser_id: string
  readonly campaign_id: string
  readonly name: string
  readonly target_url: string
}

/** `line` counts from 1: the line of the file, or the place in the array. */
export interface RejectedAd {
  readonly line: number
  readonly reason: ErrorCode
  readonly detail: string
}

export interface UpsertResult {
  readonly upserted: number
  readonly rejected: readonly RejectedAd[]
}

/** A row as it came: a value, or the reason why it could not even be read. */
export type AdRow = { readonly line: number; readonly value: unknown }

const rowsPerTransaction = 1_000
const nameCharsMax = 256
const required = ['ad_id', 'advertiser_id', 'target_url'] as const
const optional = ['campaign_id', 'name', 'advertiser_name', 'campaign_name'] as const
const known: readonly string[] = [...required, ...optional]

/**
 * Why a text may not be an ad's target; undefined where it may. Macros (`{click_id}`) are allowed
 * after the host, never in it: they must not decide where a browser goes.
 */
export function targetFault(url: string): string | undefined {
  if (url.length > limits.targetUrlCharsMax) {
    return `target_url is longer than ${limits.targetUrlCharsMax} characters`
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (/[\u0000-\u0020\u007f\\]/.test(url)) {
    return 'target_url has spaces, control characters or backslashes'
  }
  const authority = /^https?:\/\/([^/?#]+)/i.exec(url)?.[1]
  if (!authority || !URL.canParse(url)) {
    return 'target_url must be an absolute http or https URL'
  }
  if (authority.includes('@')) return 'target_url must not carry a user name or password'
  if (/[{}]/.test(authority)) return 'target_url must not have a macro in its host'
  return undefined
}

/** Why a text is no id; undefined where it is one. */
export function idFault(name: string, value: unknown): string | undefined {
  if (typeof value !== 'string' || !idPattern.test(value) || value.length > limits.idCharsMax) {
    return `${name} must be 1 to ${limits.idCharsMax} of the characters A-Z a-z 0-9 . _ : @ -`
  }
  return undefined
}

function nameFault(name: string, value: unknown): string | undefined {
  if (value === undefined) return undefined
  return typeof value === 'string' && value.length <= nameCharsMax
    ? undefined
    : `${name} must be a text of at most ${nameCharsMax} characters`
}

type Checked = { kind: 'ad'; ad: AdInput } | { kind: 'reject'; reason: ErrorCode; detail: string }

function refuse(reason: ErrorCode, detail: string): Checked {
  return { kind: 'reject', reason, detail }
}

/** Parses one ad, as it stands in a file or a request. */
export function parseAd(value: unknown): Checked {
  if (value instanceof Error) return refuse('bad-request', value.message)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refuse('bad-request', 'an ad is a JSON object')
  }
  const row = value as Record<string, unknown>
  const stranger = Object.keys(row).find((name) => !known.includes(name))
  if (stranger !== undefined) {
    return refuse(
      'bad-request',
      `unknown field "${stranger.slice(0, 64)}"; known: ${known.join(', ')}`,
    )
  }
  const fault =
    idFault('ad_id', row.ad_id) ??
    idFault('advertiser_id', row.advertiser_id) ??
    (row.campaign_id === undefined || row.campaign_id === ''
      ? undefined
      : idFault('campaign_id', row.campaign_id)) ??
    nameFault('name', row.name) ??
    nameFault('advertiser_name', row.advertiser_name) ??
    nameFault('campaign_name', row.campaign_name)
  if (fault) return refuse('bad-request', fault)
  if (typeof row.target_url !== 'string') return refuse('bad-target', 'target_url is missing')
  const target = targetFault(row.target_url)
  return target ? refuse('bad-target', target) : { kind: 'ad', ad: row as unknown as AdInput }
}

/** An ad that belongs to another advertiser, or wants a campaign that does. */
async function ownerFault(tx: Queryable, ad: AdInput): Promise<string | undefined> {
  const [existing] = await tx.query<{ advertiser_id: string }>(
    'SELECT advertiser_id FROM ads WHERE ad_id = $1',
    [ad.ad_id],
  )
  if (existing && existing.advertiser_id !== ad.advertiser_id) {
    return `ad ${ad.ad_id} belongs to another advertiser; make a new ad instead`
  }
  if (!ad.campaign_id) return undefined
  const [campaign] = await tx.query<{ advertiser_id: string }>(
    'SELECT advertiser_id FROM campaigns WHERE campaign_id = $1',
    [ad.campaign_id],
  )
  return campaign && campaign.advertiser_id !== ad.advertiser_id
    ? `campaign ${ad.campaign_id} belongs to another advertiser`
    : undefined
}

async function writeAd(tx: Queryable, now: number, ad: AdInput): Promise<void> {
  await tx.query(
    `INSERT INTO advertisers (advertiser_id, name, created_at) VALUES ($1, $2, $3)
     ON CONFLICT (advertiser_id) DO NOTHING`,
    [ad.advertiser_id, ad.advertiser_name ?? ad.advertiser_id, now],
  )
  if (ad.advertiser_name !== undefined) {
    await tx.query('UPDATE advertisers SET name = $1 WHERE advertiser_id = $2', [
      ad.advertiser_name,
      ad.advertiser_id,
    ])
  }
  if (ad.campaign_id) {
    await tx.query(
      `INSERT INTO campaigns (campaign_id, advertiser_id, name, created_at) VALUES ($1, $2, $3, $4)
       ON CONFLICT (campaign_id) DO NOTHING`,
      [ad.campaign_id, ad.advertiser_id, ad.campaign_name ?? ad.campaign_id, now],
    )
    if (ad.campaign_name !== undefined) {
      await tx.query('UPDATE campaigns SET name = $1 WHERE campaign_id = $2', [
        ad.campaign_name,
        ad.campaign_id,
      ])
    }
  }
  await tx.query(
    `INSERT INTO ads (ad_id, advertiser_id, campaign_id, name, target_url, created_at, updated_at)
     VALUES ($1, $2, $3, $4, $5, $6, $6)
     ON CONFLICT (ad_id) DO UPDATE SET target_url = excluded.target_url,
       campaign_id = CASE WHEN $7 = 1 THEN excluded.campaign_id ELSE ads.campaign_id END,
       name = CASE WHEN $8 = 1 THEN excluded.name ELSE ads.name END,
       updated_at = excluded.updated_at`,
    [
      ad.ad_id,
      ad.advertiser_id,
      ad.campaign_id ?? '',
      ad.name ?? '',
      ad.target_url,
      now,
      ad.campaign_id === undefined ? 0 : 1,
      ad.name === undefined ? 0 : 1,
    ],
  )
}

/**
 * Creates or updates ads; missing advertisers and campaigns are made. A bad row is rejected and
 * never stops the rest. Transactions of 1,000 rows: other writers get their turn in between.
 * @param now - milliseconds
 */
export async function upsertAds(
  catalogue: Catalogue,
  now: number,
  rows: readonly AdRow[],
): Promise<UpsertResult> {
  const rejected: RejectedAd[] = []
  let upserted = 0
  for (let first = 0; first < rows.length; first += rowsPerTransaction) {
    const batch = rows.slice(first, first + rowsPerTransaction)
    await catalogue.transaction(async (tx) => {
      for (const { line, value } of batch) {
        const checked = parseAd(value)
        const owner = checked.kind === 'ad' ? await ownerFault(tx, checked.ad) : undefined
        if (checked.kind === 'reject') {
          rejected.push({ line, reason: checked.reason, detail: checked.detail })
        } else if (owner) {
          rejected.push({ line, reason: 'ad-owner', detail: owner })
        } else {
          await writeAd(tx, now, checked.ad)
          upserted++
        }
      }
    })
  }
  return { upserted, rejected }
}

const adColumns = 'ad_id, advertiser_id, campaign_id, name, target_url'

/** One ad; undefined where there is none. */
export async function findAd(catalogue: Queryable, adId: string): Promise<Ad | undefined> {
  const [ad] = await catalogue.query<Ad>(`SELECT ${adColumns} FROM ads WHERE ad_id = $1`, [adId])
  return ad
}

/** Ads in order of their ids, those after `after`. @param advertiserId - empty: of all */
export function listAds(
  catalogue: Queryable,
  { advertiserId, after, limit }: { advertiserId: string; after: string; limit: number },
): Promise<Ad[]> {
  return catalogue.query<Ad>(
    `SELECT ${adColumns} FROM ads WHERE ad_id > $1 AND ($2 = '' OR advertiser_id = $2)
     ORDER BY ad_id LIMIT $3`,
    [after, advertiserId, limit],
  )
}

/** Reads newline-delimited JSON into rows; a line that is no JSON becomes a row that is rejected. */
export function adRowsOf(ndjson: string): AdRow[] {
  const rows: AdRow[] = []
  ndjson.split('\n').forEach((text, i) => {
    if (text.trim() === '') return
    rows.push({ line: i + 1, value: parseLine(text) })
  })
  return rows
}

function parseLine(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    return new ClickledgerError('bad-request', 'the line is not JSON', cause)
  }
}
