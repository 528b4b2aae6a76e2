// Time zones for reports: where hours, days, weeks and months begin, and how instants are read and
// written. Must agree with the OLAP adapters, which cut the buckets; here they only get their ends.
// Hours are cut by the zone's offset, not by local time: both hours of an autumn night stay apart.
import { LRUCache } from 'lru-cache'
import type { Granularity } from '#core/report-query.ts'
import { dayMs, hourMs, minuteMs } from '#schemas/paths.ts'

const zonesMax = 200
const formats = new LRUCache<string, Intl.DateTimeFormat>({ max: zonesMax })

/** The canonical name of an IANA zone; undefined where there is no such zone. */
export function canonicalZone(name: string): string | undefined {
  if (name === 'UTC' || name === 'Z') return 'UTC'
  try {
    const zone = new Intl.DateTimeFormat('en-US', { timeZone: name }).resolvedOptions().timeZone
    // Fixed offsets have no name that every OLAP store knows.
    return /^[+-]/.test(zone) ? undefined : zone
  } catch {
    return undefined
  }
}

function formatOf(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone)
  if (!format) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
    formats.set(zone, format)
  }
  return format
}

/** Milliseconds that the zone's clocks are ahead of UTC at `time`. */
export function zoneOffsetMs(time: number, zone: string): number {
  if (zone === 'UTC') return 0
  const second = Math.floor(time / 1000) * 1000
  const part: Record<string, number> = {}
  for (const { type, value } of formatOf(zone).formatToParts(second)) part[type] = Number(value)
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0 } = part
  return Date.UTC(year, month - 1, day, hour, minute, part.second ?? 0) - second
}

/** The instant at which the zone's clocks show `local` (ms, as if it were UTC). */
export function instantOf(local: number, zone: string): number {
  if (zone === 'UTC') return local
  const guess = local - zoneOffsetMs(local, zone)
  const refined = local - zoneOffsetMs(guess, zone)
  // Where clocks are put forward, `local` may not exist: the later offset gives the first instant after it.
  return refined + zoneOffsetMs(refined, zone) === local ? refined : Math.max(guess, refined)
}

function localFloor(local: number, granularity: 'day' | 'week' | 'month'): number {
  const day = Math.floor(local / dayMs)
  if (granularity === 'day') return day * dayMs
  // 1970-01-01 was a Thursday; weeks begin on Monday (ISO 8601).
  if (granularity === 'week') return (day - ((((day + 3) % 7) + 7) % 7)) * dayMs
  const date = new Date(local)
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1)
}

/** Start of the bucket that holds `time`. `all` has one bucket, which begins with the query. */
export function bucketStart(time: number, granularity: Granularity, zone: string): number {
  if (granularity === 'all') return time
  if (granularity === 'minute') return Math.floor(time / minuteMs) * minuteMs
  if (granularity === 'hour') {
    const local = time + zoneOffsetMs(time, zone)
    return time - (((local % hourMs) + hourMs) % hourMs)
  }
  return instantOf(localFloor(time + zoneOffsetMs(time, zone), granularity), zone)
}

/** Exclusive end of the bucket that begins at `start`; infinity for `all`. */
export function bucketEnd(start: number, granularity: Granularity, zone: string): number {
  if (granularity === 'all') return Number.POSITIVE_INFINITY
  if (granularity === 'minute') return start + minuteMs
  if (granularity === 'hour') return start + hourMs
  const local = start + zoneOffsetMs(start, zone)
  // From the middle of the bucket's first day, so that an hour more or less changes nothing.
  const inside = localFloor(local + 12 * hourMs, 'day')
  if (granularity === 'day') return instantOf(inside + dayMs, zone)
  if (granularity === 'week') return instantOf(inside + 7 * dayMs, zone)
  const date = new Date(inside)
  return instantOf(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1), zone)
}

const approximateMs: Record<Exclude<Granularity, 'all'>, number> = {
  minute: minuteMs,
  hour: hourMs,
  day: dayMs,
  week: 7 * dayMs,
  month: 28 * dayMs,
}

/** Buckets of [start, end), at most. */
export function bucketsMax(start: number, end: number, granularity: Granularity): number {
  return granularity === 'all' ? 1 : Math.ceil((end - start) / approximateMs[granularity]) + 1
}

const instantPattern =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?(?:(Z)|([+\- ])(\d{2}):?(\d{2}))?$/i

/**
 * Reads an ISO 8601 date or date and time. Without an offset it is a time of `zone`, never of the
 * machine. A space stands for the `+` that URLs turn into one.
 * @returns milliseconds; undefined where the text is no such time
 */
export function parseInstant(text: string, zone: string): number | undefined {
  const match = instantPattern.exec(text)
  if (!match) return undefined
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match
    .slice(1, 7)
    .map((n) => Number(n ?? 0))
  const ms = Math.floor(Number(`0.${match[7] ?? '0'}`) * 1000)
  if (hour > 24 || minute > 59 || second > 59 || (hour === 24 && minute + second + ms > 0)) {
    return undefined
  }
  const date = Date.UTC(year, month - 1, day)
  const check = new Date(date)
  if (check.getUTCMonth() !== month - 1 || check.getUTCDate() !== day) return undefined
  const local = date + hour * hourMs + minute * minuteMs + second * 1000 + ms
  if (match[8]) return local
  if (!match[9]) return instantOf(local, zone)
  const [offsetHours, offsetMinutes] = [Number(match[10]), Number(match[11])]
  if (offsetHours > 18 || offsetMinutes > 59) return undefined
  const offset = offsetHours * hourMs + offsetMinutes * minuteMs
  return match[9] === '-' ? local + offset : local - offset
}

const twoDigits = Array.from({ length: 60 }, (_, n) => String(n).padStart(2, '0'))
let written = { day: Number.NaN, text: '' }

/** As Date.toISOString(), but fast for the minutes of one day after the other: answers have thousands. */
function isoText(time: number): string {
  const day = Math.floor(time / dayMs)
  const minutes = (time - day * dayMs) / minuteMs
  if (!Number.isInteger(minutes)) return new Date(time).toISOString()
  if (day !== written.day) {
    written = { day, text: new Date(day * dayMs).toISOString().slice(0, -'00:00:00.000Z'.length) }
  }
  return `${written.text}${twoDigits[Math.floor(minutes / 60)]}:${twoDigits[minutes % 60]}:00.000Z`
}

/** Writes an instant as ISO 8601, with the zone's offset; `Z` for UTC. */
export function formatInstant(time: number, zone: string): string {
  if (zone === 'UTC') return isoText(time)
  const offset = zoneOffsetMs(time, zone)
  const minutes = Math.round(Math.abs(offset) / minuteMs)
  const sign = offset < 0 ? '-' : '+'
  const suffix = `${sign}${twoDigits[Math.floor(minutes / 60)]}:${twoDigits[minutes % 60]}`
  return `${isoText(time + offset).slice(0, -1)}${suffix}`
}
