// Ids for rows that have none, made from what the row says and how many equal rows came before it in
// the file: the same file again gives the same ids, so it changes no count, while equal rows of one
// file stay distinct clicks. The advertiser is no part of it: it is already half of a click's identity
// (and follows from the ad), and an id must not depend on whether --advertiser was given this time.
import { hash } from 'node:crypto'
import { timedUuid } from '#core/identity.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import type { ClickJson } from './click.ts'

/** Distinct rows without an id in one file; 12 bytes each in a table at most 3/4 full. */
const distinctRowsMax = 100_000_000
const firstCapacity = 1 << 16
/** Behind the bytes that the counters use: ids then differ where counters are shared. */
const idBytesAt = 8

/**
 * Counts equal digests: an open-addressing table in typed arrays (a Map of as many entries would take
 * ten times the memory, and holds 16.7 million at most). Two rows whose first 64 bits of SHA-256 are
 * equal share a counter, which harms nothing: their ids differ by the rest of the content.
 */
export function createOrdinals(rowsMax = distinctRowsMax): (digest: Uint8Array) => number {
  let capacity = firstCapacity
  let keys = new Uint32Array(capacity * 2)
  let counts = new Uint32Array(capacity)
  let size = 0

  const slotOf = (low: number, high: number): number => {
    let slot = (low ^ Math.imul(high, 0x9e3779b9)) & (capacity - 1)
    while (counts[slot] !== 0 && (keys[slot * 2] !== low || keys[slot * 2 + 1] !== high)) {
      slot = (slot + 1) & (capacity - 1)
    }
    return slot
  }
  const grow = () => {
    const [oldKeys, oldCounts] = [keys, counts]
    capacity *= 2
    keys = new Uint32Array(capacity * 2)
    counts = new Uint32Array(capacity)
    for (let i = 0; i < oldCounts.length; i++) {
      const count = oldCounts[i] ?? 0
      if (count > 0) put(oldKeys[i * 2] ?? 0, oldKeys[i * 2 + 1] ?? 0, count)
    }
  }
  const put = (low: number, high: number, count: number) => {
    const slot = slotOf(low, high)
    keys[slot * 2] = low
    keys[slot * 2 + 1] = high
    counts[slot] = count
  }
  return (digest) => {
    const view = new DataView(digest.buffer, digest.byteOffset, 8)
    const [low, high] = [view.getUint32(0), view.getUint32(4)]
    const before = counts[slotOf(low, high)] ?? 0
    if (before === 0) {
      if (size >= rowsMax) {
        throw new ClickledgerError(
          'payload-too-large',
          `more than ${rowsMax} distinct rows without event_id in one file: split the file`,
        )
      }
      size += 1
      if (size > capacity * 0.75) grow()
    }
    put(low, high, before + 1)
    return before
  }
}

/** JSON with the keys of objects in order, so that equal content is equal text. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  let text = ''
  for (const key of Object.keys(value).sort()) {
    const field = canonicalJson((value as Record<string, unknown>)[key])
    text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${field}`
  }
  return `{${text}}`
}

/** Gives each click of one file its id, where it has none; call it in file order. */
export function createEventIds(): (click: ClickJson) => void {
  const ordinalOf = createOrdinals()
  return (click) => {
    if (click.event_id !== undefined) return
    const digest = hash('sha256', canonicalJson(click), 'buffer')
    const ordinal = ordinalOf(digest)
    // The first of equal rows, nearly always the only one, needs no second hash.
    const bytes =
      ordinal === 0 ? digest : hash('sha256', `${digest.toString('hex')}:${ordinal}`, 'buffer')
    click.event_id = timedUuid(8, timeOf(click), bytes, idBytesAt)
  }
}

/** The time for an id: ingest refuses a click whose own time is no such number, so any will do then. */
function timeOf({ timestamp_ms: time }: ClickJson): number {
  return Number.isSafeInteger(time) && time >= 0 && time < 2 ** 48 ? time : 0
}
