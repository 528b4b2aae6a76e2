// What ingest counts. The hot path adds to plain numbers; Prometheus (metrics.ts) and the heartbeat
// read them when they ask.
import { createTally, type Tally } from '#platform/metrics.ts'
import type { ErrorCode } from '#schemas/errors.ts'
import type { Source } from './facts.ts'

/** Routes as metrics call them; `none`: no route was found. */
const routeNames = [
  'redirect',
  'track',
  'track-event',
  'import',
  'placement',
  'live',
  'ready',
  'metrics',
  'robots',
  'none',
] as const
export type RouteName = (typeof routeNames)[number]

export interface RouteCounts {
  /** Answers by HTTP status. */
  readonly answers: Map<number, number>
  /** Seconds from the request's headers to the answer's hand-over to the socket. */
  readonly seconds: Tally
}

export interface Counters {
  /** Clicks answered after they were durable. */
  readonly accepted: Record<Source, number>
  /** Clicks that could not be made durable. */
  readonly notAccepted: Record<Source, number>
  /** Requests, and clicks of a list, that were refused, by error code. */
  readonly refused: Map<ErrorCode, number>
  readonly routes: Readonly<Record<RouteName, RouteCounts>>
}

/** The promise is 50 ms at the 99th percentile: the bounds lie close around it. */
const secondsBounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5]

const routeCounts = (): RouteCounts => ({
  answers: new Map(),
  seconds: createTally(secondsBounds),
})

export const createCounters = (): Counters => ({
  accepted: { redirect: 0, pixel: 0, api: 0, import: 0 },
  notAccepted: { redirect: 0, pixel: 0, api: 0, import: 0 },
  refused: new Map(),
  routes: Object.fromEntries(routeNames.map((name) => [name, routeCounts()])) as Counters['routes'],
})

export const sumOf = (counts: Record<Source, number>): number =>
  counts.redirect + counts.pixel + counts.api + counts.import

/** One more of a key. */
export function countUp<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}
