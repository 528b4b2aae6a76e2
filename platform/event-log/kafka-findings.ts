// Looks at the ends of output topics for what one transactional id has left there. Reads what is
// not committed, too: that is what it is looking for.
import type { KafkaLink } from './kafka-link.ts'
import { type InputSpan, joined, spanOf } from './kafka-settlement.ts'
import type { FetchedMessage } from './kafkajs-insides.ts'

/** How far back from the end a partition is searched for the last transaction, step by step. */
const searchedRecords = [2_000, 16_000, 128_000]
const commitMarkerKey = Buffer.from([0, 0, 0, 1])

export interface OpenOutput extends InputSpan {
  readonly topic: string
  readonly partition: number
  readonly producerId: string
}

export interface Left {
  /** Up to here outputs are committed and readable; 0 where none is found. */
  readonly visible: number
  readonly open: readonly OpenOutput[]
}

export interface LookAt {
  readonly link: KafkaLink
  readonly transactionalId: string
  /** Topics that it writes to. */
  readonly outputs: readonly string[]
  /** Keys are kept, so nearly all of its outputs go to the partition of the same number. */
  readonly partition: number
}

/** What is there of the transactional id. Nobody may write with it any more. */
export async function lookAtOutputs(look: LookAt): Promise<Left> {
  let visible = 0
  const open: OpenOutput[] = []
  for (const topic of look.outputs) {
    for (const [partition, bounds] of (await look.link.bounds(topic)).entries()) {
      if (partition !== look.partition && bounds.stable === bounds.end) continue
      const found = await lookAtPartition(look, topic, partition, bounds)
      visible = Math.max(visible, found.visible)
      for (const [producerId, span] of found.open) {
        open.push({ topic, partition, producerId, ...span })
      }
    }
  }
  return { visible, open }
}

interface Found {
  readonly visible: number
  readonly open: ReadonlyMap<string, InputSpan>
}

async function lookAtPartition(
  { link, transactionalId, partition: own }: LookAt,
  topic: string,
  partition: number,
  { earliest, stable, end }: { earliest: number; stable: number; end: number },
): Promise<Found> {
  for (const back of partition === own ? searchedRecords : [0]) {
    const from = Math.max(earliest, Math.min(stable, end - back))
    const found = endsOf(await read(link, { topic, partition, from, end }), transactionalId)
    if (found.visible > 0 || found.open.size > 0 || from === earliest) return found
  }
  return { visible: 0, open: new Map() }
}

/** Plays transactions: a marker ends what its producer had open. */
function endsOf(messages: readonly FetchedMessage[], transactionalId: string): Found {
  let visible = 0
  const open = new Map<string, InputSpan>()
  for (const message of messages) {
    const { producerId } = message.batchContext
    if (!message.isControlRecord) {
      const span = spanOf(message, transactionalId)
      if (span) open.set(producerId, joined(open.get(producerId), span))
      continue
    }
    const ended = open.get(producerId)
    if (ended && message.key?.equals(commitMarkerKey)) visible = Math.max(visible, ended.next)
    open.delete(producerId)
  }
  return { visible, open }
}

interface Range {
  readonly topic: string
  readonly partition: number
  readonly from: number
  readonly end: number // exclusive
}

/** All that a range holds, markers and open records as well. */
async function read(link: KafkaLink, range: Range): Promise<FetchedMessage[]> {
  const all: FetchedMessage[] = []
  for (let { from } = range; from < range.end; ) {
    const messages = await link.uncommitted(range.topic, range.partition, from)
    const last = messages.at(-1)
    if (!last) {
      throw new Error(`${range.topic} partition ${range.partition} gives nothing at ${from}`)
    }
    for (const message of messages) if (Number(message.offset) < range.end) all.push(message)
    from = Number(last.offset) + 1
  }
  return all
}
