// "Archive up to here now": sealing and rebuilds ask for it in the catalogue, so it works whether
// the archiver is a thread of the same process or another machine.
import type { Queryable } from '#platform/catalogue/port.ts'
import type { ArchiveName } from '#schemas/paths.ts'
import { tablesOf } from './feeds.ts'

/** Asks that partition n be archived up to `ends[n]` without waiting for the interval. */
export async function requestArchive(
  catalogue: Queryable,
  ends: readonly number[],
  now: number,
  archive: ArchiveName = 'raw',
): Promise<void> {
  const table = `${tablesOf[archive]}_requests`
  for (const [partition, end] of ends.entries()) {
    await catalogue.query(
      `INSERT INTO ${table} (partition_id, until_offset, requested_at) VALUES ($1, $2, $3)
       ON CONFLICT (partition_id) DO UPDATE SET until_offset = excluded.until_offset,
         requested_at = excluded.requested_at WHERE excluded.until_offset > ${table}.until_offset`,
      [partition, end, now],
    )
  }
}

/** What was asked for, by partition. */
export async function requestedEnds(
  catalogue: Queryable,
  partitions: number,
  archive: ArchiveName = 'raw',
): Promise<number[]> {
  const rows = await catalogue.query<{ partition_id: number; until_offset: number }>(
    `SELECT partition_id, until_offset FROM ${tablesOf[archive]}_requests`,
  )
  const ends: number[] = new Array(partitions).fill(0)
  for (const row of rows) ends[Number(row.partition_id)] = Number(row.until_offset)
  return ends
}
