// Live counts: `GET /v1/live`, server-sent events read through fetch, because EventSource cannot
// send the key's header. Reconnects on its own; where the endpoint is missing it says so once.
import { ApiProblem } from '../shared/api.js'

/** Something comes every second, at the least a comment every 15: longer silence is a dead connection. */
const silenceMsMax = 40_000
const retryMsMin = 1_000
const retryMsMax = 20_000
/** An event larger than this is not one of ours. */
const eventCharsMax = 1_000_000

/**
 * @param {object} options
 * @param {import('../shared/api.js').Api} options.api
 * @param {string} options.filters in the API's syntax; empty for none
 * @param {AbortSignal} options.signal ends it
 * @param {(counts: Record<string, any>) => void} options.onCounts
 * @param {(state: 'live' | 'connecting' | 'missing' | 'refused') => void} options.onState
 */
export async function followLive({ api, filters, signal, onCounts, onState }) {
  const path = filters ? `/v1/live?${new URLSearchParams({ filters })}` : '/v1/live'
  let retryMs = retryMsMin
  while (!signal.aborted) {
    onState('connecting')
    try {
      await readOnce(api, path, signal, (event, data) => {
        if (event !== 'counts') return
        retryMs = retryMsMin
        onState('live')
        onCounts(data)
      })
    } catch (error) {
      if (signal.aborted) return
      const status = error instanceof ApiProblem ? error.status : 0
      if (status === 404 || status === 501) return onState('missing')
      if (status === 400 || status === 401 || status === 403) return onState('refused')
    }
    onState('connecting')
    await new Promise((resolve) => setTimeout(resolve, retryMs * (0.5 + Math.random() / 2)))
    retryMs = Math.min(retryMs * 2, retryMsMax)
  }
}

async function readOnce(api, path, outerSignal, onEvent) {
  const silent = new AbortController()
  let timer = setTimeout(() => silent.abort(), silenceMsMax)
  try {
    const response = await api.open(path, AbortSignal.any([outerSignal, silent.signal]))
    const parse = createEventParser(onEvent)
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      clearTimeout(timer)
      timer = setTimeout(() => silent.abort(), silenceMsMax)
      parse(value)
    }
  } finally {
    clearTimeout(timer)
  }
}

/**
 * Cuts a text/event-stream, in pieces of any size, into events with JSON data. Comments and
 * events whose data is not JSON are passed over.
 * @param {(event: string, data: any) => void} onEvent
 * @returns {(piece: string) => void}
 */
export function createEventParser(onEvent) {
  let rest = ''
  return (piece) => {
    // A piece may end between CR and LF: the CR waits for the next piece.
    const text = rest + piece
    const held = text.endsWith('\r') ? 1 : 0
    const blocks = text
      .slice(0, text.length - held)
      .replace(/\r\n?/g, '\n')
      .split('\n\n')
    rest = (blocks.pop() ?? '') + text.slice(text.length - held)
    if (rest.length > eventCharsMax) throw new Error('an event without end')
    for (const block of blocks) readBlock(block, onEvent)
  }
}

function readBlock(block, onEvent) {
  let event = 'message'
  const data = []
  for (const line of block.split('\n')) {
    const [, field, value] = /^([^:]*): ?(.*)$/.exec(line) ?? []
    if (field === 'event') event = value
    if (field === 'data') data.push(value)
  }
  if (data.length === 0) return
  let parsed
  try {
    parsed = JSON.parse(data.join('\n'))
  } catch {
    return
  }
  onEvent(event, parsed)
}
