// Where an archive is younger than its log: what the log has already given up is passed over, with
// an empty manifest, so that the chain still begins at 0. Only for feeds that allow it.
import type { EventLog } from '#platform/event-log/port.ts'
import { indexManifests, syncIndex } from './archive-index.ts'
import type { ArchiverOptions } from './archiver.ts'
import { type Feed, tablesOf } from './feeds.ts'
import { putManifest } from './manifest.ts'

const readWaitMs = 1_000

/** Offset of the first record that the log still holds; its end where it holds none. */
export const heldFrom = (log: EventLog, topic: string, partition: number): Promise<number> =>
  log.offsetAt(topic, partition, 0)

/**
 * Passes over what the log no longer holds, and notes from when on it does.
 * @param end - where the chain ends
 * @returns where it ends afterwards
 */
export async function passOver(
  { log, objects, catalogue, partition, partitions, now }: ArchiverOptions,
  feed: Feed,
  end: number,
): Promise<number> {
  const held = await heldFrom(log, feed.topic, partition)
  if (held <= end) return end
  const reader = await log.reader(feed.topic, partition, held)
  const [first] = await reader.read(1, readWaitMs).finally(() => reader.close())
  const since = first?.timestamp ?? now()
  // Before the manifest: a second try comes here again, and asks for the same.
  await catalogue.query(
    `UPDATE ${tablesOf[feed.name]}_version SET held_since = $1 WHERE id = 1 AND held_since < $1`,
    [since],
  )
  const manifest = {
    ...{ partition, first: end, end: held },
    ...{ files: [], undecodable: 0, archivedAt: now() },
  }
  if (await putManifest(objects, manifest, feed.name)) {
    await indexManifests(catalogue, [manifest], feed.name)
    return held
  }
  return (await syncIndex(catalogue, objects, partitions, feed.name))[partition] ?? end
}
