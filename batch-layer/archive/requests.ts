// "Archive up to here now": sealing and rebuilds ask for it in the catalogue, so it works whether
// the archiver is a thread of the same process or another machine.
import type { Queryable } from '#platform/catalogue/port.ts'

/** Asks that partition n be archived up to `ends[n]` without waiting for the interval. */
export async function requestArchive(
  catalogue: Queryable,
  ends: readonly number[],
  now: number,
): Promise<void> {
  for (const [partition, end] of ends.entries()) {
    await catalogue.query(
      `INSERT INTO archive_requests (partition_id, until_offset, requested_at) VALUES ($1, $2, $3)
       ON CONFLICT (partition_id) DO UPDATE SET until_offset = excluded.until_offset,
         requested_at = excluded.requested_at WHERE excluded.until_offset > archive_requests.until_offset`,
      [partition, end, now],
    )
  }
}

/** What was asked for, by partition. */
export async function requestedEnds(catalogue: Queryable, partitions: number): Promise<number[]> {
  const rows = await catalogue.query<{ partition_id: number; until_offset: number }>(
    'SELECT partition_id, until_offset FROM archive_requests',
  )
  const ends: number[] = new Array(partitions).fill(0)
  for (const row of rows) ends[Number(row.partition_id)] = Number(row.until_offset)
  return ends
}
