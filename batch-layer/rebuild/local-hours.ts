// Hours with their files as local paths, for engines that read files.
import type { DuckDBConnection } from '@duckdb/node-api'
import type { ObjectStore } from '#platform/object-store/port.ts'
import { ClickledgerError } from '#schemas/errors.ts'
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

/**
 * What an engine said about a local file, told with the object's key: that is what can be restored.
 * @param files - local path -> object key
 */
export function namedFault(error: unknown, files: ReadonlyMap<string, string>): unknown {
  const { message } = error as Error
  const path = [...files.keys()].find((file) => message.includes(file))
  if (path === undefined) return error
  return unreadable(files.get(path) ?? path, message, error)
}

const unreadable = (key: string, message: string, cause: unknown): ClickledgerError =>
  new ClickledgerError(
    'archive-gap',
    `${key} cannot be read; restore the object (${message})`,
    cause,
  )

/** Local path -> object key of hours that are local. */
export function keysOf(
  local: readonly LocalHour[],
  hours: readonly HourFiles[],
): Map<string, string> {
  const files = new Map(hours.map(({ hour, files: keys }) => [hour, keys]))
  const pairs = local.flatMap(({ hour, paths }) =>
    paths.map((path, i): [string, string] => [path, files.get(hour)?.[i] ?? path]),
  )
  return new Map(pairs)
}

/**
 * Work over files, of which an engine may find out in the middle that one is broken: it need not say
 * which. Then each is read whole, and the one that cannot be is named.
 * @param files - local path -> object key
 * @throws ClickledgerError `archive-gap`; what the work threw where all files can be read
 */
export async function namingBroken<T>(
  connection: DuckDBConnection,
  files: ReadonlyMap<string, string>,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof ClickledgerError) throw error
    for (const [path, key] of files) {
      const whole = `SELECT max(hash(t)) FROM read_parquet('${path}') t`
      await connection.run(whole).catch(({ message }: Error) => {
        throw unreadable(key, message, error)
      })
    }
    throw error
  }
}

/** Hours without files are left out. @throws ClickledgerError `archive-gap` for a missing or broken file */
export async function localHours(
  connection: DuckDBConnection,
  objects: ObjectStore,
  hours: readonly HourFiles[],
  fields: readonly Field[] = archivedFields,
): Promise<LocalHour[]> {
  const local: { hour: number; paths: string[] }[] = []
  const keys = new Map<string, string>()
  for (const { hour, files } of hours) {
    if (files.length === 0) continue
    const paths = await localPaths(objects, files)
    for (const [i, path] of paths.entries()) keys.set(path, files[i] ?? '')
    local.push({ hour, paths })
  }
  if (local.length === 0) return []
  const sql = olderFilesSql([...keys.keys()], fields)
  const found = await connection.runAndReadAll(sql).catch((error: unknown) => {
    throw namedFault(error, keys)
  })
  const older = new Set(found.getRows().map(([path]) => String(path)))
  return local.map((hour) => ({ ...hour, isOlder: hour.paths.some((path) => older.has(path)) }))
}
