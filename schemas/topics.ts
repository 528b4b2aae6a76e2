// The topics of the event log. `clicks.raw` is Avro in Confluent framing; `clicks.judged` is
// compact JSON, because every Druid reads that with no extension; the dead-letter topic is JSON.

const dayMs = 86_400_000

export interface Topic {
  readonly name: string
  readonly retentionMs: number
  /** Topics with the same store can be written in one transaction together with group offsets. */
  readonly store: 'raw' | 'derived'
}

export const topics = {
  raw: { name: 'clicks.raw', retentionMs: 7 * dayMs, store: 'raw' },
  judged: { name: 'clicks.judged', retentionMs: 7 * dayMs, store: 'derived' },
  deadLetters: { name: 'clicks.dlq', retentionMs: 30 * dayMs, store: 'derived' },
} as const satisfies Record<string, Topic>

export const groups = { speed: 'speed-layer' } as const

/** A record that could not be processed, as JSON on clicks.dlq. */
export interface DeadLetter {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly error: string
  /** Original bytes, base64. */
  readonly value: string
  readonly time: number
}
