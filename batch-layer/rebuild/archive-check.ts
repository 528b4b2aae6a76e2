// Before a rebuild: is all there that the archive says it has? The manifests are the truth, the index in
// the catalogue a copy; an hour that is built from less than it had would be billed wrong.
import type { Queryable } from '#platform/catalogue/port.ts'
import type { ObjectStore } from '#platform/object-store/port.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { hourPath, manifestPath, manifestPrefix } from '#schemas/paths.ts'

const listsAtOnce = 8
const namedMax = 10

interface Range {
  readonly partition: number
  readonly first: number
  readonly end: number
}

async function indexedRanges(catalogue: Queryable): Promise<Range[]> {
  const rows = await catalogue.query<{
    partition_id: number
    first_offset: number
    end_offset: number
  }>(
    'SELECT partition_id, first_offset, end_offset FROM archive_manifests ORDER BY partition_id, first_offset',
  )
  return rows.map((row) => ({
    partition: Number(row.partition_id),
    first: Number(row.first_offset),
    end: Number(row.end_offset),
  }))
}

/** Offsets that no manifest covers. */
export function holesIn(ranges: readonly Range[]): Range[] {
  const holes: Range[] = []
  for (const [partition, own] of Map.groupBy(ranges, (range) => range.partition)) {
    let next = 0
    for (const { first, end } of own) {
      if (first > next) holes.push({ partition, first: next, end: first })
      next = Math.max(next, end)
    }
  }
  return holes
}

/** Ranges whose manifest is not in the object store. */
async function lostManifests(objects: ObjectStore, ranges: readonly Range[]): Promise<Range[]> {
  const lost: Range[] = []
  for (const [partition, own] of Map.groupBy(ranges, (range) => range.partition)) {
    const keys = new Set<string>()
    for await (const { key } of objects.list(manifestPrefix(partition))) keys.add(key)
    lost.push(...own.filter(({ first }) => !keys.has(manifestPath(partition, first))))
  }
  return lost
}

async function lostFiles(
  objects: ObjectStore,
  hours: readonly { readonly hour: number; readonly files: readonly string[] }[],
): Promise<string[]> {
  const lost: string[] = []
  for (let first = 0; first < hours.length; first += listsAtOnce) {
    const some = hours.slice(first, first + listsAtOnce).map(async ({ hour, files }) => {
      const keys = new Set<string>()
      for await (const { key } of objects.list(`raw/${hourPath(hour)}/`)) keys.add(key)
      return files.filter((file) => !keys.has(file))
    })
    lost.push(...(await Promise.all(some)).flat())
  }
  return lost
}

const offsets = ({ partition, first, end }: Range) =>
  `partition ${partition}, offsets ${first} to ${end - 1}`
const named = (list: readonly string[]) =>
  `${list.slice(0, namedMax).join('; ')}${list.length > namedMax ? ` and ${list.length - namedMax} more` : ''}`

/**
 * Checks the manifest chain, and the files of these hours.
 * @throws ClickledgerError `archive-gap` that names what is missing
 */
export async function checkArchive(
  catalogue: Queryable,
  objects: ObjectStore,
  hours: readonly { readonly hour: number; readonly files: readonly string[] }[],
): Promise<void> {
  const ranges = await indexedRanges(catalogue)
  const holes = holesIn(ranges)
  if (holes.length > 0) {
    throw new ClickledgerError('archive-gap', `no manifest covers ${named(holes.map(offsets))}`)
  }
  const lost = await lostManifests(objects, ranges)
  if (lost.length > 0) {
    const list = lost.map(
      (range) => `${manifestPath(range.partition, range.first)} (${offsets(range)})`,
    )
    throw new ClickledgerError('archive-gap', `missing manifests: ${named(list)}`)
  }
  const files = await lostFiles(objects, hours)
  if (files.length > 0) throw new ClickledgerError('archive-gap', `missing files: ${named(files)}`)
}
