// The meaning of a rule set, written to be read and not to be fast: for each click, look back.
// Tests hold the streaming and the set-based interpreter to this.
import type { ArchivedClick } from '#schemas/fields.ts'
import { compareText } from '../text-order.ts'
import {
  identityRule,
  isMarkRule,
  isRepeat,
  type KeyField,
  type RepeatRule,
  type RuleSet,
  type Verdict,
  validVerdict,
} from './rule-set.ts'

/** What judging looks at. */
export type JudgeableClick = Pick<
  ArchivedClick,
  KeyField | 'event_time' | 'advertiser_id' | 'marks' | 'raw_partition' | 'raw_offset'
>

/** The order between clicks, everywhere: event time, then event id; between copies, the log's order. */
export function compareClicks(a: JudgeableClick, b: JudgeableClick): number {
  return (
    a.event_time - b.event_time ||
    compareText(a.event_id, b.event_id) ||
    a.raw_partition - b.raw_partition ||
    a.raw_offset - b.raw_offset
  )
}

/** The key of a click under a rule, the advertiser included; undefined where a part is empty. */
export function keyOf(rule: RepeatRule, click: JudgeableClick): string | undefined {
  const parts = [click.advertiser_id, ...rule.key.map((field) => click[field])]
  return rule.key.some((field) => click[field] === '') ? undefined : parts.join('\u0000')
}

/** For one rule: the times of the earlier clicks of each key. */
function createMemory(rule: RepeatRule) {
  const timesByKey = new Map<string, number[]>()
  return {
    /** At least `after` earlier clicks have the same key less than the window before. */
    isRepeated(click: JudgeableClick): boolean {
      const times = timesByKey.get(keyOf(rule, click) ?? '') ?? []
      return times.filter((time) => time > click.event_time - rule.windowMs).length >= rule.after
    },
    add(click: JudgeableClick): void {
      const key = keyOf(rule, click)
      if (key === undefined) return
      const times = timesByKey.get(key)
      if (times) times.push(click.event_time)
      else timesByKey.set(key, [click.event_time])
    },
  }
}

/**
 * Judges clicks given in any order.
 * @returns the verdict of each click by position; `undefined` for a copy of an earlier click.
 */
export function judgeNaively(
  ruleSet: RuleSet,
  clicks: readonly JudgeableClick[],
): (Verdict | undefined)[] {
  const ordered = clicks.map((click, index) => ({ click, index }))
  ordered.sort((a, b) => compareClicks(a.click, b.click))
  const verdicts: (Verdict | undefined)[] = new Array(clicks.length).fill(undefined)
  const all = createMemory(identityRule)
  const unmarked = new Map(ruleSet.rules.filter(isRepeat).map((rule) => [rule, createMemory(rule)]))
  for (const { click, index } of ordered) {
    const isCopy = all.isRepeated(click)
    all.add(click)
    if (isCopy) continue
    const carried = click.marks === '' ? [] : click.marks.split(',')
    const caughtBy = ruleSet.rules.find((rule) =>
      rule.kind === 'mark' ? carried.includes(rule.mark) : unmarked.get(rule)?.isRepeated(click),
    )
    verdicts[index] = caughtBy ? { status: caughtBy.status, rule: caughtBy.id } : validVerdict
    const marked = ruleSet.rules.filter(isMarkRule).some((rule) => carried.includes(rule.mark))
    if (!marked) for (const memory of unmarked.values()) memory.add(click)
  }
  return verdicts
}
