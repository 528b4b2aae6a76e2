// Manifests: one for each contiguous range [first, end) of a partition, under a key made of
// `first` alone and put only if absent. Their chain from 0 is the truth about what is archived.

import type { ObjectStore } from '#platform/object-store/port.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { type ArchiveName, manifestPath, manifestPrefix } from '#schemas/paths.ts'

export interface ArchivedFile {
  readonly path: string
  /** Event hour, ms. */
  readonly hour: number
  readonly clicks: number
  readonly bytes: number
}

export interface Manifest {
  readonly partition: number
  readonly first: number
  readonly end: number // exclusive
  readonly files: readonly ArchivedFile[]
  /** Records of the range that could not be decoded; the speed layer has them as dead letters. */
  readonly undecodable: number
  readonly archivedAt: number
}

/** @returns false where another archiver has published what starts there */
export function putManifest(
  objects: ObjectStore,
  manifest: Manifest,
  archive: ArchiveName = 'raw',
): Promise<boolean> {
  const bytes = Buffer.from(JSON.stringify(manifest))
  return objects.putIfAbsent(manifestPath(manifest.partition, manifest.first, archive), bytes)
}

/**
 * Manifests of a partition from offset `from` on, in order.
 * @throws ClickledgerError `archive-gap` where the chain has a hole
 */
export async function readChain(
  objects: ObjectStore,
  partition: number,
  from: number,
  archive: ArchiveName = 'raw',
): Promise<Manifest[]> {
  const chain: Manifest[] = []
  let next = from
  const before = from === 0 ? '' : manifestPath(partition, from - 1, archive)
  for await (const { key } of objects.list(manifestPrefix(partition, archive), before)) {
    const bytes = await objects.get(key)
    if (!bytes) continue
    const manifest = parseManifest(key, bytes)
    if (manifest.first !== next) {
      throw new ClickledgerError(
        'archive-gap',
        `${archive} archive, partition ${partition}: no manifest for offsets ${next} to ${manifest.first - 1}, the next one is ${key}`,
      )
    }
    chain.push(manifest)
    next = manifest.end
  }
  return chain
}

function parseManifest(key: string, bytes: Buffer): Manifest {
  try {
    const manifest = JSON.parse(bytes.toString('utf8')) as Manifest
    if (manifest.end > manifest.first && Array.isArray(manifest.files)) return manifest
  } catch {
    // told below, with the object's name
  }
  throw new ClickledgerError('archive-gap', `${key} is not a manifest; restore the object`)
}
