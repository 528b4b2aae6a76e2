// Spool -> Parquet, one file for each event hour, by DuckDB (bulk Parquet is DuckDB's here).
import { mkdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import type { ObjectStore } from '#platform/object-store/port.ts'
import { jsonColumns } from '#schemas/columns.ts'
import { archivedFilePath, hourMs } from '#schemas/paths.ts'
import type { Feed } from './feeds.ts'
import type { ArchivedFile } from './manifest.ts'
import type { Spool } from './spool.ts'

export interface WriteOptions {
  readonly objects: ObjectStore
  readonly feed: Pick<Feed, 'name' | 'fields'>
  readonly scratch: string
  readonly partition: number
  readonly memoryBytes: number
}

/** Writes the clicks of a finished spool and puts them in the object store. */
export async function writeParquet(spool: Spool, options: WriteOptions): Promise<ArchivedFile[]> {
  const { objects, feed, scratch, partition, memoryBytes } = options
  if (spool.clicks === 0) return []
  const dir = join(scratch, `write-${partition}`)
  await mkdir(dir, { recursive: true })
  const db = await DuckDBInstance.create(':memory:', {
    threads: '1',
    memory_limit: `${memoryBytes}B`,
    temp_directory: dir,
  })
  const connection = await db.connect()
  try {
    await connection.run(
      `CREATE TEMP TABLE spool AS SELECT * FROM read_json('${spool.path}', format = 'newline_delimited',
        columns = ${jsonColumns(feed.fields)})`,
    )
    const files: ArchivedFile[] = []
    for (const hour of [...spool.hours].sort((a, b) => a - b)) {
      const local = join(dir, `${hour}.parquet`)
      const done = await connection.runAndReadAll(
        `COPY (SELECT * FROM spool WHERE event_time >= ${hour} AND event_time < ${hour + hourMs}
          ORDER BY event_time, raw_offset) TO '${local}' (FORMAT parquet, COMPRESSION zstd)`,
      )
      const path = archivedFilePath(feed.name, hour, {
        partition,
        first: spool.first,
        end: spool.end,
      })
      await objects.put(path, { path: local })
      const clicks = Number(done.getRows()[0]?.[0] ?? 0)
      files.push({ path, hour, clicks, bytes: (await stat(local)).size })
      await rm(local)
    }
    return files
  } finally {
    connection.closeSync()
    db.closeSync()
    await rm(dir, { recursive: true, force: true })
  }
}
