// The earlier clicks that made a rule catch this one: unmarked, with the same key, less than the window
// before it, the nearest first. Looked for hour by hour backwards, as far as the named limit.
import { compareClicks } from '#core/rules/naive.ts'
import { isRepeat, type RepeatRule, type RuleSet } from '#core/rules/rule-set.ts'
import { isMarked } from '#core/rules/set-based.ts'
import type { ArchivedClick } from '#schemas/fields.ts'
import { hourMs, hourOf } from '#schemas/paths.ts'
import type { Queryable } from '../catalogue/port.ts'
import type { RowReader } from './archived-rows.ts'

/** Bytes of archived files that one receipt looks through. */
const bytesMax = 512 * 1024 * 1024
const shownMax = 50

export interface Repeats {
  readonly rule: string
  /** Fields that are alike, with their values. */
  readonly key: Readonly<Record<string, string>>
  readonly window_seconds: number
  /** So many earlier clicks it takes. */
  readonly after: number
  readonly clicks: readonly { readonly event_id: string; readonly event_time: string }[]
  /** All that it takes are shown. */
  readonly complete: boolean
}

async function earlierInHour(
  catalogue: Queryable,
  reader: RowReader,
  hour: number,
  { click, rule, ruleSet }: Asked,
) {
  const files = await catalogue.query<{ path: string; bytes: number }>(
    'SELECT path, bytes FROM archive_files WHERE hour = $1',
    [hour],
  )
  const bytes = files.reduce((sum, file) => sum + Number(file.bytes), 0)
  const key = ['advertiser_id', ...rule.key] as const
  const where = [
    `event_time > $after AND event_time <= $until AND event_id <> $event_id AND NOT (${isMarked(ruleSet)})`,
    ...key.map((field) => `${field} = $${field}`),
  ]
  const parameters = {
    ...Object.fromEntries(key.map((field) => [field, click[field as 'ad_id']])),
    ...{ after: click.event_time - rule.windowMs, until: click.event_time },
    event_id: click.event_id,
  }
  const read = async () => {
    const keys = files.map(({ path }) => path)
    const rows = await reader.rows(
      ...[keys, where.join(' AND '), parameters, `ORDER BY event_time DESC LIMIT ${shownMax * 4}`],
    )
    return rows as unknown as ArchivedClick[]
  }
  return { bytes, read }
}

interface Asked {
  readonly click: ArchivedClick
  readonly rule: RepeatRule
  readonly ruleSet: RuleSet
}

/** @returns undefined where the rule is none that looks at earlier clicks */
export async function findRepeats(
  catalogue: Queryable,
  reader: RowReader,
  click: ArchivedClick,
  ruleSet: RuleSet,
  ruleId: string,
): Promise<Repeats | undefined> {
  const rule = ruleSet.rules.filter(isRepeat).find(({ id }) => id === ruleId)
  if (!rule) return undefined
  const needed = Math.min(rule.after, shownMax)
  const found = new Map<string, ArchivedClick>()
  let bytesLeft = bytesMax
  const oldest = hourOf(click.event_time - rule.windowMs)
  for (let hour = hourOf(click.event_time); hour >= oldest; hour -= hourMs) {
    const { bytes, read } = await earlierInHour(catalogue, reader, hour, { click, rule, ruleSet })
    bytesLeft -= bytes
    if (bytesLeft < 0 || found.size >= needed) break
    for (const earlier of await read()) {
      // Copies of one click are one; and of two at the same time, the order decides.
      if (compareClicks(earlier, click) < 0) found.set(earlier.event_id, earlier)
    }
  }
  const nearest = [...found.values()].sort((a, b) => compareClicks(b, a)).slice(0, needed)
  return {
    rule: ruleId,
    key: Object.fromEntries(rule.key.map((field) => [field, click[field]])),
    ...{ window_seconds: rule.windowMs / 1000, after: rule.after },
    clicks: nearest.map(({ event_id, event_time }) => ({
      event_id,
      event_time: new Date(event_time).toISOString(),
    })),
    complete: nearest.length >= rule.after,
  }
}
