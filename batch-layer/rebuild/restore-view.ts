// On start: the batch view must hold what the catalogue says is published. After a lost or older
// store file the staged output of each hour's run is loaded again.
import type { Interval } from '#core/boundary.ts'
import type { Grain } from '#core/grain.ts'
import type { Queryable } from '#platform/catalogue/port.ts'
import type { HourLoad, OlapStore } from '#platform/olap/port.ts'
import { readDropped } from '#platform/retention.ts'

/** Loads published hours that the store does not show. @returns how many were loaded */
export async function restoreBatchView(catalogue: Queryable, olap: OlapStore): Promise<number> {
  const rows = await catalogue.query<{ hour: number; run_id: string; files: string }>(
    `SELECT p.hour, p.run_id, h.files FROM published_hours p
     JOIN run_hours h ON h.run_id = p.run_id AND h.hour = p.hour`,
  )
  const loads = rows.map(
    (row): HourLoad => ({
      hour: Number(row.hour),
      run: row.run_id,
      files: JSON.parse(row.files),
    }),
  )
  const dropped = await readDropped(catalogue, 0, Number.MAX_SAFE_INTEGER)
  const isIn = (ranges: readonly Interval[], hour: number) =>
    ranges.some(({ start, end }) => hour >= start && hour < end)
  // What was dropped is not missing.
  const finest = ({ hour }: HourLoad): Grain => {
    if (isIn(dropped.hour, hour)) return 'day'
    return isIn(dropped.minute, hour) ? 'hour' : 'minute'
  }
  const missing: HourLoad[] = []
  for (const [grain, some] of Map.groupBy(loads, finest)) {
    const loaded = new Set(await olap.loadedHours(some, grain))
    missing.push(...some.filter(({ hour }) => !loaded.has(hour)))
  }
  if (missing.length > 0) await olap.replaceHours(missing)
  return missing.length
}
