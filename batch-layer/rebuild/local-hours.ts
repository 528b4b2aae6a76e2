// Hours with their files as local paths, for engines that read files.
import type { DuckDBConnection } from '@duckdb/node-api'
import type { ObjectStore } from '#platform/object-store/port.ts'
import { archivedFields, type Field } from '#schemas/fields.ts'
import type { HourFiles } from './plan.ts'
import { type LocalHour, olderFilesSql } from './stage-sql.ts'

/** Objects that are looked up or copied at once: each takes a journey to the store. */
const copiesAtOnce = 8

/** Local copies of objects, in their order. */
export async function localPaths(objects: ObjectStore, keys: readonly string[]): Promise<string[]> {
  const paths: string[] = []
  for (let first = 0; first < keys.length; first += copiesAtOnce) {
    const batch = keys.slice(first, first + copiesAtOnce)
    paths.push(...(await Promise.all(batch.map((key) => objects.localPath(key)))))
  }
  return paths
}

/** Hours without files are left out. @throws ClickledgerError `archive-gap` for a missing file */
export async function localHours(
  connection: DuckDBConnection,
  objects: ObjectStore,
  hours: readonly HourFiles[],
  fields: readonly Field[] = archivedFields,
): Promise<LocalHour[]> {
  const local: { hour: number; paths: string[] }[] = []
  for (const { hour, files } of hours) {
    if (files.length === 0) continue
    local.push({ hour, paths: await localPaths(objects, files) })
  }
  if (local.length === 0) return []
  const found = await connection.runAndReadAll(
    olderFilesSql(
      local.flatMap(({ paths }) => paths),
      fields,
    ),
  )
  const older = new Set(found.getRows().map(([path]) => String(path)))
  return local.map((hour) => ({ ...hour, isOlder: hour.paths.some((path) => older.has(path)) }))
}
