// Live counts for many pages at once: one poller for each distinct question, however many ask it,
// and none when nobody does. Bounded: clients, and questions.
import type { Clock } from '#platform/clock.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { minuteMs } from '#schemas/paths.ts'
import { problemOf } from './problems.ts'
import { defaultMetrics, type ReportRequest } from './reports/params.ts'
import { type Answer, type ReportDeps, runReport } from './reports/report.ts'

export interface LiveQuestion {
  readonly filters: ReportRequest['filters']
  readonly minutes: number
}

/** One server-sent event: its name and its data as JSON. */
export interface LiveEvent {
  readonly event: 'counts' | 'problem'
  readonly data: string
}

export interface LiveHubOptions {
  readonly everyMs: number
  readonly clientsMax: number
  readonly questionsMax: number
}

type Listener = (event: LiveEvent) => void

interface Poller {
  readonly listeners: Set<Listener>
  last: LiveEvent | undefined
  timer: NodeJS.Timeout | undefined
}

const sums = defaultMetrics

function requestOf({ filters, minutes }: LiveQuestion, now: number): ReportRequest {
  const end = (Math.floor(now / minuteMs) + 1) * minuteMs
  return {
    start: end - minutes * minuteMs,
    end,
    granularity: 'minute',
    timeZone: 'UTC',
    dimensions: [],
    filters,
    metrics: sums,
    completeness: 'latest',
    limit: minutes,
  }
}

/** Fills minutes without clicks in: a chart needs them, and zero is a number with provenance too. */
function countsOf({ meta, data }: Answer, request: ReportRequest) {
  const rows = new Map(data.map((row) => [row.time, row]))
  const { boundary, watermark } = meta
  const totals: Record<string, number> = Object.fromEntries(sums.map((name) => [name, 0]))
  const series = []
  for (let time = request.start; time < request.end; time += minuteMs) {
    const text = new Date(time).toISOString()
    const row = rows.get(text) ?? {
      time: text,
      ...Object.fromEntries(sums.map((name) => [name, 0])),
      provenance: emptyProvenance(time + minuteMs, boundary, watermark),
    }
    for (const name of sums) totals[name] = (totals[name] ?? 0) + Number(row[name] ?? 0)
    series.push(row)
  }
  return { boundary, watermark, series, totals }
}

function emptyProvenance(end: number, boundary: string, watermark: string | null) {
  if (end <= Date.parse(boundary)) return 'final'
  return watermark !== null && end <= Date.parse(watermark) ? 'provisional' : 'open'
}

/** Hands live counts out. `close` ends all pollers. */
export function createLiveHub(deps: ReportDeps & { clock: Clock }, options: LiveHubOptions) {
  const pollers = new Map<string, Poller>()
  let clients = 0
  let closed = false

  const ask = async (question: LiveQuestion): Promise<LiveEvent> => {
    try {
      const request = requestOf(question, deps.clock.now())
      const outcome = await runReport(deps, request)
      if (outcome.kind !== 'answer') throw new Error('no answer')
      return { event: 'counts', data: JSON.stringify(countsOf(outcome.answer, request)) }
    } catch (error) {
      const { code, detail } = problemOf(error)
      return { event: 'problem', data: JSON.stringify({ code, detail: detail ?? code }) }
    }
  }

  const poll = async (key: string, question: LiveQuestion, poller: Poller): Promise<void> => {
    const startedAt = performance.now()
    const event = await ask(question)
    if (closed || poller.listeners.size === 0) {
      if (pollers.get(key) === poller) pollers.delete(key)
      return
    }
    poller.last = event
    for (const listener of poller.listeners) listener(event)
    const rest = Math.max(0, options.everyMs - (performance.now() - startedAt))
    poller.timer = setTimeout(() => void poll(key, question, poller), rest)
  }

  const pollerOf = (question: LiveQuestion): Poller => {
    const key = JSON.stringify([question.minutes, question.filters])
    const existing = pollers.get(key)
    if (existing) return existing
    if (pollers.size >= options.questionsMax) {
      throw new ClickledgerError('too-many-requests', 'Too many different live views are open.')
    }
    const poller: Poller = { listeners: new Set(), last: undefined, timer: undefined }
    pollers.set(key, poller)
    // After the caller has added its listener.
    queueMicrotask(() => void poll(key, question, poller))
    return poller
  }

  return {
    /** Number of open subscriptions. */
    clients: () => clients,
    /**
     * @returns how to unsubscribe
     * @throws ClickledgerError `too-many-requests`
     */
    subscribe(question: LiveQuestion, listener: Listener): () => void {
      if (clients >= options.clientsMax) {
        throw new ClickledgerError('too-many-requests', 'Too many live views are open.')
      }
      const poller = pollerOf(question)
      poller.listeners.add(listener)
      clients++
      if (poller.last) listener(poller.last)
      return () => {
        if (poller.listeners.delete(listener)) clients--
      }
    },
    close(): void {
      closed = true
      for (const { timer } of pollers.values()) clearTimeout(timer)
      pollers.clear()
    },
  }
}

export type LiveHub = ReturnType<typeof createLiveHub>
