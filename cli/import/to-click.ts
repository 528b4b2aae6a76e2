// Rows -> clicks, by a mapping; and lines that are clicks in JSON form already. Pure: a row that
// cannot be used is a value, never an exception.
import { type ClickJson, type MappedClick, type Rejected, reject } from './click.ts'
import { type IpSource, type Mapping, type Source, templateColumn } from './mapping.ts'
import { createTimeParser } from './time-format.ts'

/** The values of a row by column; undefined where the row has no such column. */
export type RowValues = (column: string) => string | undefined

type Read = (row: RowValues) => string | undefined

const textFieldsMapped = [
  'event_id',
  'ad_id',
  'campaign_id',
  'publisher_id',
  'impression_id',
  'user_id',
  'user_agent',
  'referrer_url',
] as const

function createRead(source: Source, nullValues: readonly string[]): Read {
  if ('value' in source) return () => source.value
  if ('template' in source) {
    return (row) =>
      source.template.replace(templateColumn, (_, column: string) => row(column) ?? '')
  }
  const { column, prefix = '' } = source
  const nulls = new Set(['', ...nullValues, ...(source.nullValues ?? [])])
  return (row) => {
    const value = row(column)
    return value === undefined || nulls.has(value) ? undefined : prefix + value
  }
}

/** 10.0.0.0 + n: injective for n below 2^24, and no address of a real host on the internet. */
function integerAddress(text: string): string | undefined {
  const n = /^\d{1,8}$/.test(text) ? Number(text) : Number.NaN
  if (!(n < 2 ** 24)) return undefined
  return `10.${n >>> 16}.${(n >>> 8) & 255}.${n & 255}`
}

type IpResult = { kind: 'ip'; ip: string | undefined } | Rejected

function createIpRead(
  source: IpSource,
  nullValues: readonly string[],
): (row: RowValues) => IpResult {
  if ('value' in source) return () => ({ kind: 'ip', ip: source.value })
  const { column, maskedOctet, integerIp } = source
  const read = createRead({ column, nullValues: source.nullValues ?? [] }, nullValues)
  return (row) => {
    const text = read(row)
    if (text === undefined) return { kind: 'ip', ip: undefined }
    if (integerIp) {
      const ip = integerAddress(text)
      return ip
        ? { kind: 'ip', ip }
        : reject('bad-ip', `${column} is not an integer below 2^24: ${text}`)
    }
    if (maskedOctet === undefined || !text.endsWith('.*')) return { kind: 'ip', ip: text }
    return { kind: 'ip', ip: text.slice(0, -1) + maskedOctet }
  }
}

/** Makes the function that maps rows. The mapping has been checked (`parseMapping`). */
export function createRowMapper(mapping: Mapping): (row: RowValues) => MappedClick | Rejected {
  const { fields, ads = {}, nullValues = [] } = mapping
  const reads = textFieldsMapped.flatMap((name) => {
    const source = fields[name]
    return source ? [{ name, read: createRead(source, nullValues) }] : []
  })
  const params = Object.entries(fields.additional_params ?? {}).map(([name, source]) => ({
    name,
    read: createRead(source, nullValues),
  }))
  const ip = createIpRead(fields.ip_address ?? { value: '' }, nullValues)
  const { column, format, zone } = fields.timestamp_ms
  const parseTime = createTimeParser(format, zone)
  const none: Read = () => undefined
  const advertiser = ads.advertiser_id ? createRead(ads.advertiser_id, nullValues) : none
  const campaign = ads.campaign_id ? createRead(ads.campaign_id, nullValues) : none

  return (row) => {
    const timeText = row(column) ?? ''
    const time = parseTime(timeText)
    if (time === undefined) return reject('bad-time', `${column} is not ${format}: ${timeText}`)
    const address = ip(row)
    if (address.kind === 'reject') return address
    const click: ClickJson = { ad_id: '', timestamp_ms: time }
    for (const { name, read } of reads) {
      const value = read(row)
      if (value !== undefined) click[name] = value
    }
    if (click.ad_id === '') return reject('missing-field', 'ad_id is empty')
    if (address.ip) click.ip_address = address.ip
    const values = params.flatMap(({ name, read }) => {
      const value = read(row)
      return value === undefined ? [] : [[name, value]]
    })
    if (values.length > 0) click.additional_params = Object.fromEntries(values)
    return {
      kind: 'click',
      click,
      owner: ownerOf(advertiser(row), campaign(row) ?? click.campaign_id),
    }
  }
}

function ownerOf(advertiserId: string | undefined, campaignId: string | undefined) {
  return {
    ...(advertiserId === undefined ? {} : { advertiser_id: advertiserId }),
    ...(campaignId === undefined ? {} : { campaign_id: campaignId }),
  }
}

/**
 * Takes a JSON value as a click. Whatever ingest would refuse goes through: its answer names it.
 * @param otherwise - time of a click that has none, ms
 */
export function clickOfJson(value: unknown, otherwise: number): MappedClick | Rejected {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return reject('malformed-row', 'the line is not a JSON object')
  }
  const click = { timestamp_ms: otherwise, ...value } as ClickJson
  if (typeof click.ad_id !== 'string' || click.ad_id === '') {
    return reject('missing-field', 'ad_id is missing')
  }
  return { kind: 'click', click, owner: ownerOf(undefined, click.campaign_id) }
}

/** Reads columns of a JSON object: strings, numbers and booleans, by name or by `path.to.it`. */
export function jsonRow(value: unknown): RowValues | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  return (column) => {
    let at: unknown = value
    if (Object.hasOwn(value, column)) at = (value as Record<string, unknown>)[column]
    else {
      for (const step of column.split('.')) {
        if (typeof at !== 'object' || at === null || !Object.hasOwn(at, step)) return undefined
        at = (at as Record<string, unknown>)[step]
      }
    }
    return typeof at === 'object' || at === undefined ? undefined : String(at)
  }
}
