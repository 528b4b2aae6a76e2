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

export function createSender(options: SenderOptions): ClickSender {
  const { ingestUrl, key, signal, mayPass = () => false } = options
  const url = new URL('/import/clicks', ingestUrl).href
  const pool = new Pool(new URL(ingestUrl).origin, { connections: 1 })

  const post = async (batch: readonly SentClick[]) => {
    const body = `{"clicks":[${batch.map(({ json }) => json).join(',')}]}`
    const call = { method: 'POST', url, key, body, dispatcher: pool, signal } as const
    const answer = await callOnce(call)
    return { answer, fault: answer.status < 400 ? undefined : errorOf(answer, call) }
  }

  const send = async (batch: readonly SentClick[]): Promise<Refusal[]> => {
    const refused: Refusal[] = []
    let open = batch.map((sent, index) => ({ sent, index }))
    for (let attempt = 1; open.length > 0; attempt++) {
      let waitMs = backoffMs(attempt)
      let stillOpen = open
      let fault: unknown
      try {
        const { answer, fault: refusal } = await post(open.map(({ sent }) => sent))
        fault = refusal
        if (refusal && !mayRetry(answer.status)) throw refusal
        if (refusal) waitMs = answer.retryAfterMs ?? waitMs
        else {
          const results = resultsOf(answer, open.length)
          stillOpen = open.filter(({ sent, index }, i) => {
            const result = results[i] ?? {}
            if (result.accepted === true) return false
            const reason = String(result.reason ?? 'internal')
            const detail = String(result.detail ?? '')
            const again = isRetryable(reason) || mayPass(reason, sent.click)
            if (!again || attempt >= attemptsMax) refused.push({ index, reason, detail })
            return again
          })
        }
      } catch (error) {
        if (!(error instanceof ClickledgerError) || error.code !== 'unavailable') throw error
        fault = error
      }
      open = stillOpen
      if (open.length > 0 && attempt >= attemptsMax) {
        if (fault) throw fault
        break
      }
      if (open.length > 0) await pause(waitMs, signal)
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
