// Batches of clicks -> POST /import/clicks, until each click has its final answer. Every click has an
// id, so a batch may be sent again after any failure: what was accepted the first time is a copy then.
import { Pool } from 'undici'
import { backoffMs, pause } from '#platform/wait.ts'
import { ClickledgerError, errors } from '#schemas/errors.ts'
import { limits } from '#schemas/limits.ts'
import { type Answer, callOnce, errorOf, mayRetry } from '../api.ts'
import type { ClickJson } from './click.ts'

/** With waits of up to 5 s between them: about a minute. */
const attemptsMax = 16
/** As long as refusals that time mends are not believed: about ten seconds. */
const doubtedAttempts = 9

export interface SentClick {
  readonly click: ClickJson
  /** `click` as JSON. */
  readonly json: string
}

export interface Refusal {
  readonly index: number
  readonly reason: string
  readonly detail: string
}

export interface ClickSender {
  /**
   * Sends a batch. @returns the clicks that were refused; all others were accepted
   * @throws ClickledgerError where ingest gives no final answer
   */
  send(batch: readonly SentClick[]): Promise<Refusal[]>
  close(): Promise<void>
}

export interface SenderOptions {
  readonly ingestUrl: string
  readonly key: string
  readonly signal?: AbortSignal | undefined
  /** Refusals that time mends, besides the retryable codes. */
  readonly mayPass?: (reason: string, click: ClickJson) => boolean
}

interface Result {
  readonly accepted?: unknown
  readonly reason?: unknown
  readonly detail?: unknown
}

function resultsOf(answer: Answer, expected: number): readonly Result[] {
  const { results } = (answer.value ?? {}) as { results?: unknown }
  if (!Array.isArray(results) || results.length !== expected) {
    throw new ClickledgerError(
      'internal',
      `ingest answered ${expected} clicks without their results`,
    )
  }
  return results
}

const isRetryable = (reason: string) =>
  Object.hasOwn(errors, reason) && errors[reason as keyof typeof errors].retryable

interface Open {
  readonly sent: SentClick
  /** Place in the batch. */
  readonly index: number
}

/** What one attempt made of the clicks still open. */
interface Attempt {
  readonly refused: readonly Refusal[]
  readonly again: readonly Open[]
  readonly retryAfterMs?: number | undefined
  /** Why all of them are to be sent again. */
  readonly fault?: ClickledgerError
}

export function createSender(options: SenderOptions): ClickSender {
  const { ingestUrl, key, signal, mayPass = () => false } = options
  const url = new URL('/import/clicks', ingestUrl).href
  const pool = new Pool(new URL(ingestUrl).origin, { connections: 1 })

  const sort = (open: readonly Open[], results: readonly Result[], n: number): Attempt => {
    const refused: Refusal[] = []
    const again = open.filter(({ sent, index }, i) => {
      const { accepted, reason = 'internal', detail = '' } = results[i] ?? {}
      if (accepted === true) return false
      const isDoubted = n <= doubtedAttempts && mayPass(String(reason), sent.click)
      const mayWork = isDoubted || isRetryable(String(reason))
      if (!mayWork) refused.push({ index, reason: String(reason), detail: String(detail) })
      return mayWork
    })
    return { refused, again }
  }

  /** @throws ClickledgerError where another attempt would be no use */
  const attempt = async (open: readonly Open[], n: number): Promise<Attempt> => {
    const body = `{"clicks":[${open.map(({ sent }) => sent.json).join(',')}]}`
    const call = { method: 'POST', url, key, body, dispatcher: pool, signal } as const
    try {
      const answer = await callOnce(call)
      if (answer.status < 400) return sort(open, resultsOf(answer, open.length), n)
      const fault = errorOf(answer, call)
      if (!mayRetry(answer.status)) throw fault
      return { refused: [], again: open, retryAfterMs: answer.retryAfterMs, fault }
    } catch (error) {
      if (!(error instanceof ClickledgerError) || error.code !== 'unavailable') throw error
      return { refused: [], again: open, fault: error }
    }
  }

  const send = async (batch: readonly SentClick[]): Promise<Refusal[]> => {
    const refused: Refusal[] = []
    let open: readonly Open[] = batch.map((sent, index) => ({ sent, index }))
    for (let n = 1; open.length > 0; n++) {
      const result = await attempt(open, n)
      refused.push(...result.refused)
      open = result.again
      if (open.length === 0) break
      if (n >= attemptsMax) {
        const detail = `${open.length} clicks were not accepted in ${attemptsMax} attempts`
        throw result.fault ?? new ClickledgerError('not-accepted', detail)
      }
      await pause(result.retryAfterMs ?? backoffMs(n), signal)
      signal?.throwIfAborted()
    }
    return refused
  }
  return { send, close: () => pool.close() }
}

/** Whether one more click of these bytes fits into a batch. */
export function fitsBatch(clicks: number, bytes: number, moreBytes: number): boolean {
  const roomBytes = limits.bodyBytesMax - 1_024 // the frame around the clicks
  return clicks < limits.batchClicksMax && bytes + moreBytes + 1 <= roomBytes
}
