// What became of the last transactions of an input partition, judged by what is in the log and not
// by what a coordinator believes. A broker may finish a transaction and not write all its markers
// (decision 0016): offsets that were committed are not, or records stay open and would become
// readable with the next transaction. The first record of each send says what its transaction was
// about, so whoever takes the partition over can tell.
import type { FetchedMessage } from './kafkajs-insides.ts'

/** On the first record of a send: `<transactional id> <from> <next>`. */
export const transactionHeader = 'clickledger-transaction'

/** Input that a transaction was made of: from `from`, up to `next` (exclusive). */
export interface InputSpan {
  readonly from: number
  readonly next: number
}

export const transactionText = (transactionalId: string, { from, next }: InputSpan): string =>
  `${transactionalId} ${from} ${next}`

/** The span of a record that a producer with this transactional id marked; anybody may write headers. */
export function spanOf(message: FetchedMessage, transactionalId: string): InputSpan | undefined {
  const text = message.headers?.[transactionHeader]?.toString()
  if (!text?.startsWith(`${transactionalId} `)) return undefined
  const [from = Number.NaN, next = Number.NaN] = text
    .slice(transactionalId.length + 1)
    .split(' ')
    .map(Number)
  return Number.isSafeInteger(from) && from >= 0 && next > from ? { from, next } : undefined
}

export const joined = (a: InputSpan | undefined, b: InputSpan): InputSpan =>
  a ? { from: Math.min(a.from, b.from), next: Math.max(a.next, b.next) } : b

export interface Findings {
  /** The group's committed offset; 0 where there is none. */
  readonly committed: number
  /** Up to here outputs are committed and readable; 0 where none is found. */
  readonly visible: number
  /** Input of outputs that no marker ends. */
  readonly open: InputSpan | undefined
}

export interface Settlement {
  /** The next input to work on; where it is not what is committed, it has to be. */
  readonly start: number
  /** How the open outputs have to end. */
  readonly outcome: 'commit' | 'abort' | undefined
}

/**
 * A transaction counts as committed when some of its outputs can be read: nobody can take that back, so
 * the rest follows, and so does the offset. Where none can be read it is aborted and its input
 * worked on again, whatever the committed offset says.
 */
export function settle({ committed, visible, open }: Findings): Settlement {
  if (!open) return { start: Math.max(committed, visible), outcome: undefined }
  if (visible >= open.next) return { start: Math.max(committed, open.next), outcome: 'commit' }
  return { start: Math.max(Math.min(committed, open.from), visible), outcome: 'abort' }
}
