// Times in files -> milliseconds. Patterns of fixed width (yyyy MM dd HH mm ss SSS and literals),
// epoch numbers, ISO 8601. A local time without an offset is read in the mapping's zone: a time that
// clocks showed twice is the earlier one, a time they skipped is moved on by what was skipped.

export type TimeParser = (text: string) => number | undefined

const tokens = {
  yyyy: '(?<year>\\d{4})',
  MM: '(?<month>\\d{2})',
  dd: '(?<day>\\d{2})',
  HH: '(?<hour>\\d{2})',
  mm: '(?<minute>\\d{2})',
  SSS: '(?<milli>\\d{3})',
  ss: '(?<second>\\d{2})',
} as const

const tokenPattern = /yyyy|MM|dd|HH|mm|SSS|ss|[\s\S]/g
const letters = /[A-Za-z]/
const quarterHourMs = 900_000
const dayMs = 86_400_000
const cachedOffsetsMax = 100_000
/** The furthest instants that Date can hold. */
const timeMax = 8.64e15

/** Parses texts of a format. @throws Error naming what is wrong with the format or the zone */
export function createTimeParser(format: string, zone = 'UTC'): TimeParser {
  if (format === 'epoch-ms') return (text) => parseEpoch(text, 1)
  if (format === 'epoch-seconds') return (text) => parseEpoch(text, 1000)
  const toInstant = createZone(zone)
  if (format === 'iso') return (text) => parseIso(text, toInstant)
  const pattern = compilePattern(format)
  return (text) => {
    const groups = pattern.exec(text)?.groups
    const local = groups && localTime(groups)
    return local === undefined ? undefined : toInstant(local)
  }
}

function compilePattern(format: string): RegExp {
  const seen = new Set<string>()
  const source = (format.match(tokenPattern) ?? []).map((part) => {
    if (part in tokens) {
      if (seen.has(part)) throw new Error(`time format "${format}" has ${part} twice`)
      seen.add(part)
      return tokens[part as keyof typeof tokens]
    }
    if (letters.test(part) && part !== 'T' && part !== 'Z') {
      throw new Error(`time format "${format}": "${part}" is none of yyyy MM dd HH mm ss SSS T Z`)
    }
    return part.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&')
  })
  for (const needed of ['yyyy', 'MM', 'dd']) {
    if (!seen.has(needed)) throw new Error(`time format "${format}" has no ${needed}`)
  }
  return new RegExp(`^${source.join('')}$`)
}

/** The local time as if it were UTC; undefined where the calendar or the clock has no such time. */
function localTime(groups: Readonly<Record<string, string | undefined>>): number | undefined {
  const part = (name: string, otherwise: number) => Number(groups[name] ?? otherwise)
  const [month, day, hour] = [part('month', 1), part('day', 1), part('hour', 0)]
  const [minute, second] = [part('minute', 0), part('second', 0)]
  if (hour > 23 || minute > 59 || second > 59) return undefined
  const date = new Date(0)
  date.setUTCFullYear(part('year', 1970), month - 1, day) // Date.UTC takes years below 100 for 19xx
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined
  return date.setUTCHours(hour, minute, second, part('milli', 0))
}

function parseEpoch(text: string, unitMs: number): number | undefined {
  if (!/^-?\d{1,16}(\.\d+)?$/.test(text)) return undefined
  const time = Math.round(Number(text) * unitMs)
  return Math.abs(time) <= timeMax ? time : undefined
}

const isoPattern =
  /^(?<year>\d{4})-(?<month>\d\d)-(?<day>\d\d)(?:[T ](?<hour>\d\d):(?<minute>\d\d)(?::(?<second>\d\d)(?:[.,](?<fraction>\d{1,9}))?)?(?<offset>Z|[+-]\d\d(?::?\d\d)?)?)?$/

function parseIso(text: string, toInstant: (local: number) => number): number | undefined {
  const groups = isoPattern.exec(text)?.groups
  if (!groups) return undefined
  const milli = (groups.fraction ?? '0').padEnd(3, '0').slice(0, 3)
  const local = localTime({ ...groups, milli })
  if (local === undefined) return undefined
  const offset = groups.offset
  if (!offset) return toInstant(local)
  if (offset === 'Z') return local
  const hours = Number(offset.slice(1, 3))
  const minutes = Number(offset.slice(3).replace(':', '') || 0)
  if (hours > 23 || minutes > 59) return undefined
  return local - (offset[0] === '-' ? -1 : 1) * (hours * 60 + minutes) * 60_000
}

/** Local time (as if UTC) -> instant, in an IANA zone. @throws Error for an unknown zone */
function createZone(zone: string): (local: number) => number {
  if (zone === 'UTC') return (local) => local
  const offsetAt = createOffsets(zone)
  return (local) => {
    const before = offsetAt(local - dayMs)
    const after = offsetAt(local + dayMs)
    if (before === after) return local - before
    // Around a change: the earlier of the instants at which clocks showed this time. Where they
    // showed it never, the offset before the change moves it on (as RFC 5545 does).
    const candidates = [local - before, local - after].filter((t) => local - t === offsetAt(t))
    return candidates.length > 0 ? Math.min(...candidates) : local - before
  }
}

/** Offset from UTC in ms at an instant. Cached by the quarter hour: zones change at no other time. */
function createOffsets(zone: string): (time: number) => number {
  let format: Intl.DateTimeFormat
  try {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      era: 'short',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
  } catch (cause) {
    throw new Error(`"${zone}" is not an IANA time zone, such as Asia/Shanghai`, { cause })
  }
  const cache = new Map<number, number>()
  const compute = (time: number) => {
    const parts = Object.fromEntries(format.formatToParts(time).map((p) => [p.type, p.value]))
    const at = (name: string) => Number(parts[name])
    const shown = new Date(0)
    shown.setUTCFullYear(
      parts.era === 'BC' ? 1 - at('year') : at('year'),
      at('month') - 1,
      at('day'),
    )
    return shown.setUTCHours(at('hour'), at('minute'), at('second')) - time
  }
  return (time) => {
    const slot = Math.floor(time / quarterHourMs)
    let offset = cache.get(slot)
    if (offset === undefined) {
      offset = compute(slot * quarterHourMs)
      if (cache.size >= cachedOffsetsMax) cache.clear()
      cache.set(slot, offset)
    }
    return offset
  }
}
