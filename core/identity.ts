// Who and what a click is: identity, visitor, partition key, order. Hashes are 72 bits as 12
// base64url characters: short enough that DuckDB keeps them inline, and for 10^9 visitors the
// chance of any collision is 1 in 10,000.
import { createHmac, hash } from 'node:crypto'

export const hashChars = 12

/** Keyed hash of something personal (an IP address, a user id). Empty in, empty out. */
export function keyedHash(key: Uint8Array, value: string): string {
  if (value === '') return ''
  return createHmac('sha256', key).update(value).digest('base64url').slice(0, hashChars)
}

/** `visitor`: the user where one is known, else address and agent together; empty if neither is known. */
export function visitorOf(userHash: string, ipHash: string, userAgent: string): string {
  if (userHash !== '') return userHash
  if (ipHash === '') return ''
  return hash('sha256', `${ipHash}\n${userAgent}`, 'base64url').slice(0, hashChars)
}

/** Number of partitions that the clicks of one ad spread over. */
export const adSalts = 16

/**
 * Key of a click in clicks.raw: `ad_id:salt`, the salt taken from the address. No ad, however
 * viral, fills one partition, and all clicks of one visitor on one ad stay together.
 */
export function partitionKey(adId: string, ipHash: string): string {
  let sum = 0
  for (let i = 0; i < ipHash.length; i++) sum = (sum * 31 + ipHash.charCodeAt(i)) | 0
  return `${adId}:${(sum >>> 0) % adSalts}`
}

/**
 * Partition of a key: murmur2, as Kafka's Java client does it, so that every adapter and every
 * foreign producer agree.
 */
export function partitionOf(key: string, partitions: number): number {
  return (murmur2(Buffer.from(key, 'utf8')) & 0x7fffffff) % partitions
}

// Austin Appleby's MurmurHash2 with the seed of org.apache.kafka.common.utils.Utils.murmur2.
function murmur2(data: Uint8Array): number {
  const m = 0x5bd1e995
  const length = data.length
  let h = 0x9747b28c ^ length
  let i = 0
  for (; i + 4 <= length; i += 4) {
    let k =
      (data[i] as number) |
      ((data[i + 1] as number) << 8) |
      ((data[i + 2] as number) << 16) |
      ((data[i + 3] as number) << 24)
    k = Math.imul(k, m)
    k ^= k >>> 24
    k = Math.imul(k, m)
    h = Math.imul(h, m) ^ k
  }
  const rest = length - i
  if (rest >= 3) h ^= (data[i + 2] as number) << 16
  if (rest >= 2) h ^= (data[i + 1] as number) << 8
  if (rest >= 1) h = Math.imul(h ^ (data[i] as number), m)
  h ^= h >>> 13
  h = Math.imul(h, m)
  return (h ^ (h >>> 15)) | 0
}

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** A UUID in canonical lower case; undefined where the text is none. */
export function parseEventId(text: string): string | undefined {
  return uuidPattern.test(text) ? text.toLowerCase() : undefined
}

/** The time in an id that `timedUuid` or another maker of timed UUIDs made; undefined where it has none. */
export function timeOfEventId(id: string): number | undefined {
  const version = id.charAt(14)
  if (version !== '7' && version !== '8') return undefined
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
}

/**
 * A UUID whose first 48 bits are `time` (RFC 9562): version 7 with random bits, version 8 with
 * bits derived from content. A receipt finds a click's hour from its id alone.
 * @param bytes - at least 10 bytes for the rest of the id
 */
export function timedUuid(version: 7 | 8, time: number, bytes: Uint8Array, at = 0): string {
  const buffer = Buffer.allocUnsafe(16)
  buffer.writeUIntBE(Math.max(0, time), 0, 6)
  for (let i = 0; i < 10; i++) buffer[6 + i] = bytes[at + i] ?? 0
  buffer[6] = ((buffer[6] as number) & 0x0f) | (version << 4)
  buffer[8] = ((buffer[8] as number) & 0x3f) | 0x80
  const hex = buffer.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
