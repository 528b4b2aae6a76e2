// Where the work on an input partition goes on. Asked after every fence: what the coordinators say
// is committed is held against the ends of the outputs, and what does not agree is put right first.
import { ClickledgerError } from '#schemas/errors.ts'
import { pause } from '../wait.ts'
import { fence } from './kafka-coordinator.ts'
import { type Left, lookAtOutputs } from './kafka-findings.ts'
import type { KafkaLink } from './kafka-link.ts'
import { type InputSpan, joined, type Settlement, settle } from './kafka-settlement.ts'

const stableMs = 25

export interface Taken {
  readonly link: KafkaLink
  readonly transactionalId: string
  readonly group: string
  readonly topic: string
  readonly partition: number
  /** Topics that the transactions write to. */
  readonly outputs: readonly string[]
  readonly warn: (message: string) => void
}

interface Found extends Settlement {
  readonly committed: number
  readonly left: Left
}

/**
 * The offset to go on from, or undefined where something has to be settled first. To be called by who
 * has fenced all others.
 */
export async function agreedOffset(taken: Taken): Promise<number | undefined> {
  const { start, committed, outcome } = await lookAround(taken)
  return start === committed && !outcome ? start : undefined
}

/** Fences, and makes offsets and outputs agree. Dying anywhere in it, the next one does the same. */
export async function settleOutputs(taken: Taken, transactionTimeoutMs: number): Promise<void> {
  const { link, transactionalId, group, topic, partition } = taken
  const fenced = await fence(link, transactionalId, transactionTimeoutMs)
  const { start, committed, outcome, left } = await lookAround(taken)
  for (const { producerId, ...at } of left.open) {
    if (producerId !== fenced.producing.producerId) throw abandoned(transactionalId, at)
  }
  if (outcome === 'commit') await fenced.end('commit', left.open)
  if (start !== committed) {
    await fenced.moveTo({ group, topic, partition, offset: start })
    if ((await settledOffset(taken)) !== start) throw new Error(`${transactionalId} did not move`)
  }
  // After the offset: outputs that are aborted no longer tell that it was too far.
  if (outcome === 'abort') await fenced.end('abort', left.open)
  if (start === committed && !outcome) return
  const ended = outcome === 'abort' ? 'aborted' : 'committed'
  taken.warn(
    `Kafka had not finished a transaction of ${transactionalId}: it is ${ended} now, and ${topic} partition ${partition} goes on at ${start} (${committed} was committed)`,
  )
}

async function lookAround(taken: Taken): Promise<Found> {
  const committed = await settledOffset(taken)
  const left = await lookAtOutputs(taken)
  const end = (await taken.link.endOffsets(taken.topic))[taken.partition] ?? 0
  // An input that was made anew is shorter than what its outputs tell of.
  const visible = left.visible > end ? 0 : left.visible
  const open = left.open.reduce<InputSpan | undefined>(joined, undefined)
  return { committed, left, ...settle({ committed, visible, open }) }
}

/**
 * The committed offset. Older brokers apply the offsets of a finished transaction a moment after
 * they say that it is finished, and kafkajs cannot ask for stable offsets only: so it has to be seen
 * twice.
 */
async function settledOffset({ link, group, topic, partition }: Taken): Promise<number> {
  for (let before = Number.NaN; ; ) {
    const [offset = -1] = await link.committedOffsets(group, topic, [partition])
    if (offset === before) return Math.max(0, offset)
    before = offset
    await pause(stableMs)
  }
}

/** The id was given another producer id since: only the brokers' own tool can end what it left. */
function abandoned(
  transactionalId: string,
  { topic, partition }: { readonly topic: string; readonly partition: number },
): ClickledgerError {
  return new ClickledgerError(
    'unavailable',
    `${topic} partition ${partition} holds a transaction of ${transactionalId} that its brokers never ended. Find it with kafka-transactions.sh find-hanging and end it with kafka-transactions.sh abort; nobody can read past it until then.`,
  )
}
