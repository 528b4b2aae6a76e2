// Posts every restatement to one receiver, in order, at least once. The cursor moves when the receiver has
// acknowledged: who dies in between posts again, and nothing is ever left out. Publication knows
// nothing of it.
import { signWebhook } from '#core/webhook-signature.ts'
import type { Queryable } from '#platform/catalogue/port.ts'
import type { Lease } from '#platform/lease.ts'
import { backoffMs, pause } from '#platform/wait.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { readRestatements } from '../restatements.ts'

const cursorName = 'restatements'
const rowsPerPost = 100
/** Less than a lease lasts, so two post the same only while one dies. */
const answerMs = 10_000
const lookEveryMs = 2_000
const retryMaxMs = 60_000
/** The first delay after a failure is about a second. */
const firstAttempt = 5

export interface WebhookParts {
  readonly catalogue: Queryable
  readonly url: string
  readonly secret: string
  /** Of several processes one posts. */
  readonly lease: Pick<Lease, 'acquire'>
  readonly now: () => number
  /** Told of each post: what went wrong, or how many restatements went through. */
  readonly onOutcome?: (outcome: { delivered: number } | { error: unknown }) => void
  readonly lookEveryMs?: number
  readonly retryMaxMs?: number
}

async function deliveredUntil(catalogue: Queryable): Promise<number> {
  const [row] = await catalogue.query<{ delivered: number }>(
    `INSERT INTO webhook_cursors (name, delivered, delivered_at) VALUES ($1, 0, 0)
     ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING delivered`,
    [cursorName],
  )
  return Number(row?.delivered ?? 0)
}

/** Only on from where it was: who was held up does not move it back. */
async function moveCursor({ catalogue, now }: WebhookParts, from: number, to: number) {
  await catalogue.query(
    'UPDATE webhook_cursors SET delivered = $3, delivered_at = $4 WHERE name = $1 AND delivered = $2',
    [cursorName, from, to, now()],
  )
}

async function post({ url, secret, now }: WebhookParts, id: string, body: string): Promise<void> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'clickledger-delivery': id,
      'clickledger-signature': signWebhook(secret, body, now()),
    },
    body,
    redirect: 'manual', // a signed body goes to whom it was meant for
    signal: AbortSignal.timeout(answerMs),
  })
  await response.body?.cancel()
  if (response.ok) return
  throw new ClickledgerError(
    'unavailable',
    `The receiver at CLICKLEDGER_WEBHOOK_URL answered ${response.status}; it should answer 2xx.`,
  )
}

/** Posts what comes next. @returns how many restatements it was */
async function deliverNext(parts: WebhookParts): Promise<number> {
  const after = await deliveredUntil(parts.catalogue)
  const { data, next } = await readRestatements(parts.catalogue, after, [], rowsPerPost)
  if (data.length === 0) return 0
  // The id is the same when the same is posted again: receivers tell copies by it, or by `after`.
  const id = `${cursorName}-${after}-${next}`
  const body = JSON.stringify({
    ...{ type: cursorName, id, after: String(after), next: String(next), data },
  })
  await post(parts, id, body)
  await moveCursor(parts, after, next)
  return data.length
}

/** Starts posting; `close` lets the post under way end. */
export function startWebhook(parts: WebhookParts): { close(): Promise<void> } {
  const { lease, onOutcome = () => {} } = parts
  const stopping = new AbortController()
  let failures = 0

  /** One look. @returns how long to wait for the next, ms */
  const look = async (): Promise<number> => {
    try {
      if (!(await lease.acquire())) return parts.lookEveryMs ?? lookEveryMs
      const delivered = await deliverNext(parts)
      failures = 0
      if (delivered === 0) return parts.lookEveryMs ?? lookEveryMs
      onOutcome({ delivered })
      return 0
    } catch (error) {
      failures++
      onOutcome({ error })
      return backoffMs(firstAttempt + failures - 1, parts.retryMaxMs ?? retryMaxMs)
    }
  }
  const run = async () => {
    while (!stopping.signal.aborted) await pause(await look(), stopping.signal)
  }
  const running = run()
  return {
    async close() {
      stopping.abort()
      await running
    },
  }
}
