// Every answer of ingest leaves through here: one set of security headers, one count. Headers are
// flat arrays, which node:http writes without building anything.
import { type IncomingMessage, ServerResponse } from 'node:http'
import { type ErrorCode, errors, problem } from '#schemas/errors.ts'
import { type Counters, countUp, type RouteName } from './counters.ts'

const common = [
  'cache-control',
  'no-store',
  'x-content-type-options',
  'nosniff',
  'referrer-policy',
  'strict-origin-when-cross-origin',
] as const

/** Seconds after which to try again, where the code says that trying again helps. */
const retryAfterSeconds = '1'

const pixel = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64')

/** A response that knows what it is counted as. */
export class IngestResponse<R extends IncomingMessage = IncomingMessage> extends ServerResponse<R> {
  readonly startedAt = performance.now()
  route: RouteName = 'none'
}

/** Said of a click: its id, and whether it will be counted. */
export interface ClickOutcome {
  readonly eventId: string
  readonly isAccepted: boolean
}

export type Answers = ReturnType<typeof createAnswers>

/** @param onFault - an answer that could not be written: told to the operator */
export function createAnswers(counters: Counters, onFault: (error: unknown) => void) {
  const count = ({ route, startedAt }: IngestResponse, status: number) => {
    const { answers, seconds } = counters.routes[route]
    countUp(answers, status)
    seconds.add((performance.now() - startedAt) / 1000)
  }

  const send = (
    response: IngestResponse,
    status: number,
    headers: readonly string[],
    body?: string | Uint8Array,
  ): void => {
    // A client that has gone away took its socket along; nothing can be said to it.
    if (response.destroyed || response.headersSent) return
    const length = body === undefined ? 0 : Buffer.byteLength(body)
    try {
      response.writeHead(status, [...headers, 'content-length', String(length), ...common])
      response.end(body)
      count(response, status)
    } catch (error) {
      // Answers of one group follow each other: one that fails must not take the others along.
      onFault(error)
      response.destroy()
    }
  }

  const text = (response: IngestResponse, status: number, type: string, body: string): void =>
    send(response, status, ['content-type', type], body)

  return {
    text,
    redirect(response: IngestResponse, location: string, outcome: ClickOutcome): void {
      send(response, 302, ['location', location, ...outcomeHeaders(outcome)])
    },
    pixel(response: IngestResponse, outcome: ClickOutcome): void {
      send(response, 200, ['content-type', 'image/gif', ...outcomeHeaders(outcome)], pixel)
    },
    json(response: IngestResponse, status: number, body: unknown): void {
      text(response, status, 'application/json', JSON.stringify(body))
    },
    /** @param extra - more fields of the body; @param headers - more headers */
    problem(
      response: IngestResponse,
      code: ErrorCode,
      detail?: string,
      more: { extra?: object; headers?: readonly string[] } = {},
    ): void {
      const { status, retryable } = errors[code]
      countUp(counters.refused, code)
      const headers = ['content-type', 'application/problem+json', ...(more.headers ?? [])]
      if (retryable) headers.push('retry-after', retryAfterSeconds)
      send(response, status, headers, JSON.stringify({ ...problem(code, detail), ...more.extra }))
    },
  }
}

function outcomeHeaders({ eventId, isAccepted }: ClickOutcome): readonly string[] {
  return isAccepted ? ['x-click-id', eventId] : ['x-click-accepted', 'false']
}
