// Hours with their files as local paths, for engines that read files.
import type { ObjectStore } from '#platform/object-store/port.ts'
import type { HourFiles } from './plan.ts'
import type { LocalHour } from './stage-sql.ts'

/** Hours without files are left out. @throws ClickledgerError `archive-gap` for a missing file */
export async function localHours(
  objects: ObjectStore,
  hours: readonly HourFiles[],
): Promise<LocalHour[]> {
  const local: LocalHour[] = []
  for (const { hour, files } of hours) {
    if (files.length === 0) continue
    const paths: string[] = []
    for (const key of files) paths.push(await objects.localPath(key))
    local.push({ hour, paths })
  }
  return local
}
