// A rehearsal: archived hours are judged under a rule set that is only tried, beside the numbers as they
// are. Nothing is published; what stays is a table of the change per rule, advertiser and day.
import { parseRuleSet } from '#core/rules/rule-set.ts'
import { persist } from '#platform/catalogue/persist.ts'
import { type Counts, noCounts } from './compare-worker.ts'
import { changesByHour, type DiffLine, plus } from './diff.ts'
import { type RebuildParts, stageAlone } from './rebuild.ts'
import { moveRun, type Run, type RunHour } from './runs.ts'

const dayMs = 86_400_000
/** Lines of advertisers and days, the most changed first. */
const linesMax = 1_000

export interface Rehearsal {
  readonly clicks: number
  readonly total: DiffLine
  /** Clicks that each rule catches. */
  readonly rules: readonly {
    readonly rule: string
    readonly before: number
    readonly after: number
  }[]
  readonly advertisers: readonly (DiffLine & {
    readonly advertiser_id: string
    readonly day: string
  })[]
  /** Advertisers and days that change, listed or not. */
  readonly changed: number
}

function byRule(before: Iterable<RunHour>, after: Iterable<RunHour>): Rehearsal['rules'] {
  const sum = (hours: Iterable<RunHour>) => {
    const rules = new Map<string, number>()
    for (const hour of hours) {
      for (const [rule, clicks] of Object.entries(hour.rules ?? {})) {
        rules.set(rule, (rules.get(rule) ?? 0) + clicks)
      }
    }
    return rules
  }
  const [old, tried] = [sum(before), sum(after)]
  return [...new Set([...old.keys(), ...tried.keys()])].sort().map((rule) => ({
    ...{ rule, before: old.get(rule) ?? 0, after: tried.get(rule) ?? 0 },
  }))
}

const shift = ({ before, after }: DiffLine) => Math.abs(after.click_count - before.click_count)

/** Judges the planned hours under the rule set that is tried, and says what it would change. */
export async function rehearse(parts: RebuildParts, run: Run): Promise<Rehearsal> {
  const tried = parseRuleSet(run.plan.rules)
  await persist(() => moveRun(parts.catalogue, run.runId, ['planned'], 'running'), parts.signal)
  const alone = { ...parts, ruleSetOf: async () => tried }
  const { staged, published } = await stageAlone(alone, run)
  const lines = new Map<string, DiffLine & { advertiser_id: string; day: string }>()
  let total: DiffLine = { before: noCounts, after: noCounts }
  const add = (line: DiffLine | undefined, before: Counts, after: Counts): DiffLine => ({
    before: plus(line?.before ?? noCounts, before),
    after: plus(line?.after ?? noCounts, after),
  })
  const live = { hasNewClicks: () => false, boundary: Number.POSITIVE_INFINITY }
  for await (const hour of changesByHour(parts, staged, published, live)) {
    total = add(total, hour.before, hour.after)
    const day = new Date(Math.floor(hour.hour / dayMs) * dayMs).toISOString().slice(0, 10)
    for (const { advertiser_id, before, after } of hour.changes) {
      const key = `${advertiser_id} ${day}`
      lines.set(key, { advertiser_id, day, ...add(lines.get(key), before, after) })
    }
  }
  const starts = new Set(staged.map(({ hour }) => hour))
  const old = [...published.values()].filter(({ hour }) => starts.has(hour))
  return {
    clicks: total.after.gross_click_count,
    total,
    rules: byRule(old, staged),
    advertisers: [...lines.values()].sort((a, b) => shift(b) - shift(a)).slice(0, linesMax),
    changed: lines.size,
  }
}
