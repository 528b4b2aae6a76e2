// The work on one partition of clicks.raw: decode, collapse copies, judge, produce. Pure but for
// its own state: outputs leave through the processor's transaction, together with the offset.

import type { RuleSet, Verdict } from '#core/rules/rule-set.ts'
import { createStreamingJudge, type StreamingLimits } from '#core/rules/streaming.ts'
import type { LogRecord, Output } from '#platform/event-log/port.ts'
import { decodeRawClick } from '#schemas/avro.ts'
import type { JudgedClick, RawClick } from '#schemas/fields.ts'
import { judgedFields } from '#schemas/fields.ts'
import { type DeadLetter, topics } from '#schemas/topics.ts'

export interface Counts {
  judged: number
  valid: number
  duplicate: number
  invalid: number
  copies: number
  deadLettered: number
}

export const noCounts = (): Counts => ({
  judged: 0,
  valid: 0,
  duplicate: 0,
  invalid: 0,
  copies: 0,
  deadLettered: 0,
})

// Fields of a judged click that come from the raw one unchanged.
const rawNames = judgedFields
  .map((field) => field.name)
  .filter(
    (name): name is Extract<keyof RawClick, keyof JudgedClick> =>
      !['status', 'rule', 'rule_set', 'raw_partition', 'raw_offset', 'judged_time'].includes(name),
  )

function judgedClick(
  click: RawClick,
  verdict: Verdict,
  from: { record: LogRecord; ruleSet: number; now: number },
): Record<string, string | number> {
  const judged: Record<string, string | number> = {}
  for (const name of rawNames) judged[name] = click[name]
  judged.status = verdict.status
  judged.rule = verdict.rule
  judged.rule_set = from.ruleSet
  judged.raw_partition = from.record.partition
  judged.raw_offset = from.record.offset
  judged.judged_time = from.now
  return judged
}

function deadLetter(record: LogRecord, error: string, now: number): Output {
  const letter: DeadLetter = {
    topic: topics.raw.name,
    partition: record.partition,
    offset: record.offset,
    error,
    value: Buffer.from(record.value).toString('base64'),
    time: now,
  }
  return {
    topic: topics.deadLetters.name,
    key: record.key,
    timestamp: now,
    value: Buffer.from(JSON.stringify(letter)),
  }
}

/**
 * Creates the judge of one partition, with empty state.
 * @param traced - the trace context of an output, from that of its record; absent: the same
 */
export function createPartitionJudge(
  ruleSet: RuleSet,
  limits: StreamingLimits,
  traced: (traceparent: string) => string = (traceparent) => traceparent,
) {
  const judge = createStreamingJudge(ruleSet, limits)
  const counts = noCounts()

  const judgeRecord = (record: LogRecord, now: number): Output | undefined => {
    const decoded = decodeRawClick(record.value)
    if (decoded.kind === 'reject') {
      counts.deadLettered++
      return deadLetter(record, decoded.reason, now)
    }
    const { click } = decoded
    const located = { ...click, raw_partition: record.partition, raw_offset: record.offset }
    const verdict = judge.judge(located, click.received_time)
    if (!verdict) {
      counts.copies++
      return undefined
    }
    counts.judged++
    counts[verdict.status]++
    const judged = judgedClick(click, verdict, { record, ruleSet: ruleSet.version, now })
    return {
      topic: topics.judged.name,
      key: record.key,
      timestamp: record.timestamp,
      value: Buffer.from(JSON.stringify(judged)),
    }
  }

  return {
    counts,
    judge,
    /** Judges records and maps them to outputs: judged clicks and dead letters. */
    handle(records: readonly LogRecord[], now: number): Output[] {
      const outputs: Output[] = []
      for (const record of records) {
        const output = judgeRecord(record, now)
        if (!output) continue
        const { traceparent } = record
        outputs.push(
          traceparent === undefined ? output : { ...output, traceparent: traced(traceparent) },
        )
      }
      return outputs
    },
    /** Learns from records that were judged before, so that what follows is judged as if it never stopped. */
    remember(records: readonly LogRecord[]): void {
      for (const { value, partition, offset } of records) {
        const decoded = decodeRawClick(value)
        if (decoded.kind === 'reject') continue
        const located = { ...decoded.click, raw_partition: partition, raw_offset: offset }
        judge.judge(located, decoded.click.received_time)
      }
    },
  }
}

export type PartitionJudge = ReturnType<typeof createPartitionJudge>
