// Reads the JSON body of a POST, bounded: each body, and all bodies being read together.
import type { IncomingMessage } from 'node:http'
import type { ErrorCode } from '#schemas/errors.ts'
import { limits } from '#schemas/limits.ts'

/** Bytes of all bodies in memory at once; beyond it a POST is sent away with `unavailable`. */
const bytesInFlightMax = 128 * 1024 * 1024

export type Body =
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'reject'; readonly reason: ErrorCode; readonly detail: string }

const refuse = (reason: ErrorCode, detail: string): Body => ({ kind: 'reject', reason, detail })

const tooLarge = () =>
  refuse('payload-too-large', `a body has at most ${limits.bodyBytesMax} bytes`)

/** A reader with a common budget. */
export function createBodyReader() {
  let inFlight = 0

  return async function readJson(request: IncomingMessage): Promise<Body> {
    const { headers } = request
    const type = headers['content-type'] ?? ''
    if (!/^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(type)) {
      return refuse('unsupported-media-type', 'content-type must be application/json')
    }
    if ((headers['content-encoding'] ?? 'identity') !== 'identity') {
      return refuse('unsupported-media-type', 'content-encoding is not supported')
    }
    if (Number(headers['content-length'] ?? 0) > limits.bodyBytesMax) return tooLarge()
    const chunks: Buffer[] = []
    let bytes = 0
    try {
      // Not destroyed on an early return: that would take the connection, and the answer, with it.
      // Node reads and drops what is left of the body after the answer.
      for await (const chunk of request.iterator({ destroyOnReturn: false })) {
        bytes += chunk.length
        inFlight += chunk.length
        if (bytes > limits.bodyBytesMax) return tooLarge()
        if (inFlight > bytesInFlightMax) return refuse('unavailable', 'too many bodies at once')
        chunks.push(chunk)
      }
      return { kind: 'json', value: JSON.parse(Buffer.concat(chunks).toString('utf8')) }
    } catch {
      // Aborted by the client (nobody hears the answer), or no JSON.
      return refuse('bad-request', 'the body is not JSON')
    } finally {
      inFlight -= bytes
    }
  }
}
