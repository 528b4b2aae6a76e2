// Ads as advertisers hand them in: checked one by one, stored many at a time. An ad never
// changes its advertiser: clicks already counted are billed to the one they were stamped with.
import { ClickledgerError, type ErrorCode } from '#schemas/errors.ts'
import { idPattern, limits } from '#schemas/limits.ts'
import { addToBatch, ownerFault, readBatch, writeBatch } from './ads-batch.ts'
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
  return typeof value === 'string' && value.length <= nameCharsMax && !value.includes('\0')
    ? undefined
    : `${name} must be a text of at most ${nameCharsMax} characters, none of them U+0000`
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

/**
 * Creates or updates ads; missing advertisers and campaigns are made. A bad row is rejected and
 * never stops the rest. Transactions of 1,000 rows: other writers get their turn in between.
 * Repeating it changes nothing.
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
    const some = rows.slice(first, first + rowsPerTransaction)
    const checked = some.map(({ line, value }) => ({ line, ...parseAd(value) }))
    const good = checked.flatMap((row) => (row.kind === 'ad' ? [row.ad] : []))
    await catalogue.transaction(async (tx) => {
      const batch = await readBatch(tx, good)
      for (const row of checked) {
        const { line } = row
        const owner = row.kind === 'ad' ? ownerFault(batch, row.ad) : undefined
        if (row.kind === 'reject') {
          rejected.push({ line, reason: row.reason, detail: row.detail })
        } else if (owner) {
          rejected.push({ line, reason: 'ad-owner', detail: owner })
        } else {
          addToBatch(batch, row.ad)
          upserted++
        }
      }
      await writeBatch(tx, now, batch)
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

/** Reads newline-delimited JSON into rows; a line that is no JSON becomes a row that is rejected. */
export function adRowsOf(ndjson: string): AdRow[] {
  const rows: AdRow[] = []
  ndjson.split('\n').forEach((text, i) => {
    if (text.trim() === '') return
    rows.push({ line: i + 1, value: parseAdLine(text) })
  })
  return rows
}

/** A line of newline-delimited JSON; an error, which `parseAd` rejects, where it is none. */
export function parseAdLine(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    return new ClickledgerError('bad-request', 'the line is not JSON', cause)
  }
}
