// ISO 8601 durations of fixed length: weeks, days, hours, minutes, seconds. No months, no years.

const pattern = /^P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d{1,3})?)S)?)?$/

/** Milliseconds of a duration such as `PT10M`; undefined where the text is none. */
export function parseDuration(text: string): number | undefined {
  const match = pattern.exec(text)
  if (!match || text === 'P' || text.endsWith('T')) return undefined
  const [weeks, days, hours, minutes, seconds] = match.slice(1).map((n) => Number(n ?? 0))
  const totalDays = (weeks ?? 0) * 7 + (days ?? 0)
  const totalMinutes = (totalDays * 24 + (hours ?? 0)) * 60 + (minutes ?? 0)
  return Math.round((totalMinutes * 60 + (seconds ?? 0)) * 1000)
}
