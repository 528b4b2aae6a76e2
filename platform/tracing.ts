// W3C trace context (https://www.w3.org/TR/trace-context/): a text of 55 characters that travels
// with a sampled click, and one log line for each hop. Nothing is exported from here: a collector
// of logs can make spans of the lines. Off, nobody holds a tracer and no record has a context.
import { randomBytes } from 'node:crypto'
import type { Settings } from './config.ts'
import type { Logger } from './log.ts'

/** Name of the HTTP header, and of the record header in the event log. */
export const traceparentHeader = 'traceparent'
/** `00-{trace id}-{span id}-{flags}`, always as long as this. */
export const traceparentChars = 55
/** Of the requests that bring no context, one in so many gets one. */
const madeOneIn = 128

export interface Span {
  /** What the next hop gets: this trace, with this span as the parent. */
  readonly traceparent: string
  /** Writes the span. @param fields - what else to say about it */
  end(fields?: Readonly<Record<string, string | number>>): void
}

export interface Tracer {
  /** A span of a request. @param header - `traceparent` as it came; empty: none @returns undefined: not sampled */
  ofRequest(name: string, header: string): Span | undefined
  /** A span of a record. @param parent - a context that `ofRequest` or `ofRecord` made */
  ofRecord(name: string, parent: string): Span
}

interface Parent {
  readonly traceId: string
  readonly spanId: string
  readonly sampled: boolean
}

const form = /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/
const isZero = (id: string) => /^0+$/.test(id)

/** Reads a context; undefined where it is none. Later versions may append to the text, 00 may not. */
export function parseTraceparent(text: string): Parent | undefined {
  const [, version = '', traceId = '', spanId = '', flags = '', rest] = form.exec(text) ?? []
  if (version === '' || version === 'ff' || isZero(traceId) || isZero(spanId)) return undefined
  if (version === '00' && rest !== undefined) return undefined
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 }
}

/**
 * A tracer where tracing is on.
 * @param now - the layer's clock, ms
 */
export function createTracer(
  settings: Settings,
  logger: Logger,
  now: () => number,
): Tracer | undefined {
  if (!settings.CLICKLEDGER_TRACING) return undefined
  let untraced = Math.floor(Math.random() * madeOneIn)

  const begin = (name: string, traceId: string, parentSpanId: string): Span => {
    const spanId = randomBytes(8).toString('hex')
    const start = now()
    return {
      traceparent: `00-${traceId}-${spanId}-01`,
      end(fields = {}) {
        const context = { trace_id: traceId, span_id: spanId, parent_span_id: parentSpanId }
        const time = { start: new Date(start).toISOString(), duration_ms: now() - start }
        logger.debug({ ...fields, span: name, ...context, ...time }, 'span')
      },
    }
  }

  return {
    ofRequest(name, header) {
      const parent = header === '' ? undefined : parseTraceparent(header)
      if (parent) return parent.sampled ? begin(name, parent.traceId, parent.spanId) : undefined
      untraced = (untraced + 1) % madeOneIn
      return untraced === 0 ? begin(name, randomBytes(16).toString('hex'), '') : undefined
    },
    ofRecord(name, parent) {
      const { traceId, spanId } = parseTraceparent(parent) ?? {
        traceId: randomBytes(16).toString('hex'),
        spanId: '',
      }
      return begin(name, traceId, spanId)
    },
  }
}
