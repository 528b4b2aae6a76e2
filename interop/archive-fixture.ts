// A small archive, and a run staged from it, made by the platform's own code from given clicks.
import { copyFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { partitionKey } from '#core/identity.ts'
import type { RuleSet } from '#core/rules/rule-set.ts'
import { readSettings, type Settings } from '#platform/config.ts'
import { dataPaths, openCatalogue, openEventLog, openObjectStore } from '#platform/stack.ts'
import { decodeRawClick, encodeRawClick } from '#schemas/avro.ts'
import type { ArchivedClick, RawClick } from '#schemas/fields.ts'
import { topics } from '#schemas/topics.ts'
import { openArchiver } from '../batch-layer/archive/archiver.ts'
import { type Manifest, readChain } from '../batch-layer/archive/manifest.ts'
import type { HourFiles } from '../batch-layer/rebuild/plan.ts'
import { stageTask } from '../batch-layer/rebuild/stage-worker.ts'
import { scratchDir } from '../tests/support/contract.ts'

const partitions = 2
/** Each run of clicks is archived apart, so that the chains have several manifests. */
const runClicks = 2_500

export interface ArchiveFixture {
  /** Of the installation whose archive it is. */
  readonly settings: Settings
  /** Folder of raw/, manifests/ and runs/. */
  readonly root: string
  /** What the archive holds, by partition and offset. */
  readonly clicks: readonly ArchivedClick[]
  /** Files that the manifests name, relative to the root. */
  readonly files: readonly string[]
  /** Judges the hours as a rebuild does. @returns names of the staged files, relative to the root */
  stage(runId: string, ruleSet: RuleSet): Promise<{ aggregates: string[]; verdicts: string[] }>
}

/** Archives clicks into a fresh folder; a file that no manifest names lies beside the others. */
export async function archiveClicks(
  t: ExecutionContext,
  clicks: readonly RawClick[],
): Promise<ArchiveFixture> {
  const settings = readSettings({
    CLICKLEDGER_DATA_DIR: scratchDir(t),
    CLICKLEDGER_PARTITIONS: String(partitions),
  })
  const catalogue = await openCatalogue(settings)
  const log = await openEventLog(settings, Date.now)
  const objects = await openObjectStore(settings)
  const { objects: root, scratch } = dataPaths(settings)
  const archivers = await Promise.all(
    Array.from({ length: partitions }, (_, partition) =>
      openArchiver({
        ...{ log, objects, catalogue, partition, partitions, now: Date.now },
        ...{ scratch: join(scratch, `p${partition}`), intervalMs: 0, rowsMax: 1e6 },
        memoryBytes: 512 * 1024 * 1024,
      }),
    ),
  )
  for (let first = 0; first < clicks.length; first += runClicks) {
    const records = clicks.slice(first, first + runClicks).map((click) => ({
      key: partitionKey(click.ad_id, click.ip_hash),
      value: encodeRawClick(click),
      timestamp: click.received_time,
    }))
    await log.append(topics.raw.name, records)
    for (const archiver of archivers) while (await archiver.step(0)) {}
  }
  const archived: ArchivedClick[] = []
  const manifests: Manifest[] = []
  for (const [partition, end] of (await log.endOffsets(topics.raw.name)).entries()) {
    manifests.push(...(await readChain(objects, partition, 0)))
    const reader = await log.reader(topics.raw.name, partition, 0)
    while (reader.position < end) {
      for (const { offset, value } of await reader.read(5_000, 1_000)) {
        const decoded = decodeRawClick(value)
        if (decoded.kind === 'reject') throw new Error(decoded.reason)
        archived.push({ ...decoded.click, raw_partition: partition, raw_offset: offset })
      }
    }
    await reader.close()
  }
  await Promise.all(archivers.map((archiver) => archiver.close()))
  await Promise.all([log.close(), catalogue.close(), objects.close()])
  const files = manifests.flatMap((manifest) => manifest.files.map(({ path }) => path))
  const [first = ''] = files
  copyFileSync(join(root, first), join(root, dirname(first), 'p0-999-1000.parquet'))
  return {
    ...{ settings, root, files, clicks: archived },
    async stage(runId, ruleSet) {
      const task = { ruleSet, hours: hoursOf(manifests), lookBack: [] }
      const staged = await stageTask({ runId, task, settings })
      const aggregates = staged.flatMap((hour) => hour.files)
      return {
        aggregates,
        verdicts: [...new Set(aggregates.map((path) => join(dirname(path), 'verdicts.parquet')))],
      }
    },
  }
}

function hoursOf(manifests: readonly Manifest[]): HourFiles[] {
  const files = manifests.flatMap((manifest) => manifest.files)
  const hours = [...new Set(files.map(({ hour }) => hour))].sort((a, b) => a - b)
  return hours.map((hour) => {
    const own = files.filter((file) => file.hour === hour)
    const clicks = own.reduce((sum, file) => sum + file.clicks, 0)
    return { hour, files: own.map(({ path }) => path), clicks }
  })
}
