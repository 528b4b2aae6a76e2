// Clicks as browsers send them, for replay and simulate. Never sent twice: the server makes the id of a
// redirect, so a second try after a lost answer would be a second click.
import { Pool } from 'undici'

const timeoutMs = 10_000

export interface ClickRequest {
  readonly method: 'GET' | 'POST'
  /** With its query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

/** What came of a request; `reason` says why where the click does not count. */
export type Outcome =
  | { readonly kind: 'accepted'; readonly location: string; readonly value: unknown }
  | { readonly kind: 'failed'; readonly reason: string }

export interface ClickClient {
  send(click: ClickRequest): Promise<Outcome>
  close(): Promise<void>
}

function reasonOf(status: number, value: unknown): string {
  const code = (value as { code?: unknown } | undefined)?.code
  return typeof code === 'string' ? code : `status-${status}`
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Header values are Latin-1 on the wire; UTF-8 goes through byte by byte, control characters do not. */
export function headerText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out
  return Buffer.from(text.replace(/[\u0000-\u001f\u007f]/g, ' '), 'utf8').toString('latin1')
}

/** @param connections - requests under way at once, at most; more wait in the pool */
export function createClickClient(ingestUrl: string, connections: number): ClickClient {
  const pool = new Pool(new URL(ingestUrl).origin, {
    connections,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  })
  return {
    async send({ method, path, headers, body }) {
      try {
        const response = await pool.request({
          method,
          path,
          headers,
          ...(body === undefined ? {} : { body }),
        })
        const isJson = String(response.headers['content-type']).includes('json')
        const value = isJson ? parse(await response.body.text()) : undefined
        if (!isJson) await response.body.dump()
        const { statusCode } = response
        if (statusCode >= 400) return { kind: 'failed', reason: reasonOf(statusCode, value) }
        if (response.headers['x-click-accepted'] === 'false') {
          return { kind: 'failed', reason: 'not-accepted' }
        }
        return { kind: 'accepted', location: String(response.headers.location ?? ''), value }
      } catch (error) {
        return { kind: 'failed', reason: String((error as { code?: unknown }).code ?? 'no-answer') }
      }
    },
    close: () => pool.close(),
  }
}
