// The catalogue's index of the manifests: which files an hour has. A copy for speed; it can be
// made anew from the chain, and after a crash it catches up from there.
import type { Catalogue, Queryable } from '#platform/catalogue/port.ts'
import type { ObjectStore } from '#platform/object-store/port.ts'
import type { ArchiveName } from '#schemas/paths.ts'
import { tablesOf } from './feeds.ts'
import { type Manifest, readChain } from './manifest.ts'

/** Adds manifests to the index. Repeating it changes nothing. */
export async function indexManifests(
  catalogue: Catalogue,
  manifests: readonly Manifest[],
  archive: ArchiveName = 'raw',
): Promise<void> {
  const tables = tablesOf[archive]
  for (const manifest of manifests) {
    await catalogue.transaction(async (tx) => {
      const { partition, first, end, files } = manifest
      const isNew = await tx.query(
        `INSERT INTO ${tables}_manifests (partition_id, first_offset, end_offset) VALUES ($1, $2, $3)
         ON CONFLICT (partition_id, first_offset) DO NOTHING RETURNING end_offset`,
        [partition, first, end],
      )
      if (isNew.length === 0) return
      const [row] = await tx.query<{ version: number }>(
        `UPDATE ${tables}_version SET version = version + 1 WHERE id = 1 RETURNING version`,
      )
      const version = Number(row?.version)
      for (const { path, hour, clicks, bytes } of files) {
        await tx.query(
          `INSERT INTO ${tables}_files (path, hour, partition_id, clicks, bytes, version)
           VALUES ($1, $2, $3, $4, $5, $6)`,
          [path, hour, partition, clicks, bytes, version],
        )
        await tx.query(
          `INSERT INTO ${tables}_hours (hour, clicks, version) VALUES ($1, $2, $3)
           ON CONFLICT (hour) DO UPDATE SET clicks = ${tables}_hours.clicks + excluded.clicks,
             version = excluded.version`,
          [hour, clicks, version],
        )
      }
    })
  }
}

/** End of the indexed chain of each partition. */
export async function archivedEnds(
  catalogue: Queryable,
  partitions: number,
  archive: ArchiveName = 'raw',
): Promise<number[]> {
  const rows = await catalogue.query<{ partition_id: number; ended: number }>(
    `SELECT partition_id, max(end_offset) AS ended FROM ${tablesOf[archive]}_manifests
     GROUP BY partition_id`,
  )
  const ends: number[] = new Array(partitions).fill(0)
  for (const row of rows) ends[Number(row.partition_id)] = Number(row.ended)
  return ends
}

/** Brings the index up to the manifests in the object store. */
export async function syncIndex(
  catalogue: Catalogue,
  objects: ObjectStore,
  partitions: number,
  archive: ArchiveName = 'raw',
): Promise<number[]> {
  const ends = await archivedEnds(catalogue, partitions, archive)
  for (const [partition, end] of ends.entries()) {
    await indexManifests(catalogue, await readChain(objects, partition, end, archive), archive)
  }
  return archivedEnds(catalogue, partitions, archive)
}
