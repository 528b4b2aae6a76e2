// The streaming interpreter of a rule set: one click at a time, bounded state. With unlimited
// history and clicks in order it equals the naive definition. A click that comes out of order is
// compared with what is near it on either side: which of two was first may never be known, that
// one of them repeats the other is.
import { type Fingerprint, fingerprint } from '../fingerprint.ts'
import type { JudgeableClick } from './naive.ts'
import { RepeatTable } from './repeat-table.ts'
import {
  identityRule,
  isMarkRule,
  isRepeat,
  type RepeatRule,
  type RuleSet,
  type Verdict,
  validVerdict,
} from './rule-set.ts'

export interface StreamingLimits {
  /** History kept for repeat rules and copies; a rule with a wider window sees no further. */
  readonly historyMs: number
  /** Event times that one table remembers in one generation, at most. */
  readonly timesMax: number
}

export interface StreamingJudge {
  /**
   * Judges the next click of the stream and remembers it.
   * @param streamTime - when it was received, in ms; ages the state. Older values don't turn it back.
   * @returns the verdict, or undefined for a copy of a click seen before
   */
  judge(click: JudgeableClick, streamTime: number): Verdict | undefined
  /** Keys remembered now, over all tables. */
  readonly stateSize: number
  /** Generations given up before their time because a table was full. */
  readonly fullRotations: number
}

interface RepeatStep {
  readonly rule: RepeatRule
  readonly verdict: Verdict
  readonly table: RepeatTable
  readonly key: Fingerprint
  hasKey: boolean
}

function keyInto(step: RepeatStep, click: JudgeableClick): void {
  let text = click.advertiser_id
  step.hasKey = false
  for (const field of step.rule.key) {
    const part = click[field]
    if (part === '') return
    text += `\u0000${part}`
  }
  step.hasKey = true
  fingerprint(text, step.key)
}

/** Creates a judge with empty state for one partition. */
export function createStreamingJudge(ruleSet: RuleSet, limits: StreamingLimits): StreamingJudge {
  const step = (rule: RepeatRule): RepeatStep => ({
    rule,
    verdict: Object.freeze({ status: rule.status, rule: rule.id }),
    table: new RepeatTable(rule.after, rule.windowMs, {
      timesMax: limits.timesMax,
      spanMs: Math.min(rule.windowMs, limits.historyMs),
    }),
    key: { low: 0, high: 1 },
    hasKey: false,
  })
  const markVerdicts = ruleSet.rules.filter(isMarkRule).map((rule) => ({
    mark: rule.mark as string,
    verdict: Object.freeze({ status: rule.status, rule: rule.id }) as Verdict,
  }))
  const identity = step(identityRule)
  const repeats = ruleSet.rules.filter(isRepeat).map(step)
  const tables = [identity, ...repeats].map(({ table }) => table)
  let latest = Number.NEGATIVE_INFINITY

  const isCopy = (click: JudgeableClick): boolean => {
    keyInto(identity, click)
    if (!identity.hasKey) return false
    const { low, high } = identity.key
    const copy = identity.table.isRepeat(low, high, click.event_time)
    identity.table.add(low, high, click.event_time)
    return copy
  }

  const markOf = (click: JudgeableClick): Verdict | undefined => {
    if (click.marks === '') return undefined
    const carried = click.marks.split(',')
    return markVerdicts.find(({ mark }) => carried.includes(mark))?.verdict
  }

  return {
    judge(click, streamTime) {
      if (streamTime > latest) {
        latest = streamTime
        for (const table of tables) table.advance(streamTime)
      }
      if (isCopy(click)) return undefined
      const marked = markOf(click)
      if (marked) return marked
      let caught: Verdict | undefined
      for (const repeat of repeats) {
        keyInto(repeat, click)
        if (!repeat.hasKey) continue
        const { low, high } = repeat.key
        if (!caught && repeat.table.isRepeat(low, high, click.event_time)) caught = repeat.verdict
        repeat.table.add(low, high, click.event_time)
      }
      return caught ?? validVerdict
    },
    get stateSize() {
      return tables.reduce((sum, table) => sum + table.size, 0)
    },
    get fullRotations() {
      return tables.reduce((sum, table) => sum + table.fullRotations, 0)
    },
  }
}
