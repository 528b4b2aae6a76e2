// Sends believable traffic at a steady rate through the real HTTP endpoints. Tokens come with the clock;
// where the server cannot keep up they are dropped and counted, never saved up for a burst.
import { pause } from '#platform/wait.ts'
import { createApi } from '../api.ts'
import { type ClickClient, createClickClient, type Outcome } from '../click-client.ts'
import { createDemoCatalogue } from './demo-catalogue.ts'
import { createTraffic, type Shot, type Traffic } from './traffic.ts'

const inFlightMax = 256
const echoesMax = 20_000
const tickMs = 5
const progressEveryMs = 2_000

export interface SimulationTotals {
  readonly sent: number
  readonly accepted: number
  readonly errors: number
  /** Clicks not sent, because as many as allowed were under way. */
  readonly skipped: number
  /** Errors by reason. */
  readonly reasons: Readonly<Record<string, number>>
}

export interface SimulationOptions {
  readonly ingestUrl: string
  readonly servingUrl: string
  /** An admin key: the demo catalogue is made with it. */
  readonly key: string
  /** Clicks a second. */
  readonly rate: number
  /** Until aborted, if left out. */
  readonly durationMs?: number | undefined
  readonly signal?: AbortSignal | undefined
  readonly seed?: number | undefined
  /** Called every 2 seconds. */
  readonly onProgress?: (totals: SimulationTotals) => void
}

/** Follows a slot's answer to the click it offers. */
function clickOn(slot: Shot, outcome: Outcome): Shot | undefined {
  if (outcome.kind !== 'accepted') return undefined
  const url = (outcome.value as { click_url?: unknown } | undefined)?.click_url
  if (typeof url !== 'string' || !URL.canParse(url)) return undefined
  const { pathname, search } = new URL(url)
  return { kind: 'click', request: { ...slot.request, path: pathname + search } }
}

/** A posted click's own result may be a refusal although the request went well. */
function failureOf(outcome: Outcome): string | undefined {
  if (outcome.kind === 'failed') return outcome.reason
  const result = outcome.value as { accepted?: unknown; reason?: unknown } | undefined
  return result?.accepted === false ? String(result.reason) : undefined
}

function createSending(client: ClickClient) {
  const reasons: Record<string, number> = {}
  const totals = { sent: 0, accepted: 0, errors: 0, skipped: 0, reasons }
  const inFlight = new Set<Promise<void>>()
  const fail = (reason: string) => {
    totals.errors += 1
    reasons[reason] = (reasons[reason] ?? 0) + 1
  }
  const deliver = async (shot: Shot): Promise<void> => {
    const outcome = await client.send(shot.request)
    const failure = failureOf(outcome)
    if (failure !== undefined) return fail(failure)
    if (shot.kind === 'click') {
      totals.accepted += 1
      return
    }
    const click = clickOn(shot, outcome)
    if (click) await deliver(click)
    else fail('no-click-url')
  }
  return {
    totals,
    send(shot: Shot): void {
      if (inFlight.size >= inFlightMax) {
        totals.skipped += 1
        return
      }
      totals.sent += 1
      const running: Promise<void> = deliver(shot).finally(() => inFlight.delete(running))
      inFlight.add(running)
    },
    drain: () => Promise.all(inFlight),
  }
}

/** Clicks that come later because of earlier ones, soonest last. */
function createEchoes(traffic: Traffic) {
  let echoes: { at: number; shot: Shot }[] = []
  return {
    /** The next click: an echo that is due, else a new one. */
    next(now: number): Shot {
      const soonest = echoes.at(-1)
      if (soonest && soonest.at <= now) {
        echoes.pop()
        return soonest.shot
      }
      const plan = traffic.next(now)
      if (plan.echoes.length > 0 && echoes.length < echoesMax) {
        const more = plan.echoes.map(({ shot, afterMs }) => ({ shot, at: now + afterMs }))
        echoes = [...echoes, ...more].sort((a, b) => b.at - a.at)
      }
      return plan.shot
    },
  }
}

/**
 * Makes the demo catalogue and sends traffic until the duration is over or the signal aborts.
 * @returns totals; sent = accepted + errors
 * @throws ClickledgerError where the demo catalogue cannot be made
 */
export async function runSimulation(options: SimulationOptions): Promise<SimulationTotals> {
  const {
    ingestUrl,
    servingUrl,
    key,
    rate,
    durationMs = Number.POSITIVE_INFINITY,
    signal,
  } = options
  await createDemoCatalogue(createApi(servingUrl, key, signal))
  const seed = options.seed ?? Math.floor(Math.random() * 2 ** 31)
  const clicks = createEchoes(createTraffic(seed))
  const client = createClickClient(ingestUrl, inFlightMax)
  const sending = createSending(client)
  const started = performance.now()
  let [tokens, reportedAt] = [0, started]
  try {
    for (;;) {
      const elapsedMs = performance.now() - started
      const due = Math.floor((Math.min(elapsedMs, durationMs) * rate) / 1000)
      for (; tokens < due; tokens++) sending.send(clicks.next(Date.now()))
      if (performance.now() - reportedAt >= progressEveryMs) {
        reportedAt = performance.now()
        options.onProgress?.({ ...sending.totals })
      }
      if (signal?.aborted || elapsedMs >= durationMs) break
      await pause(tickMs, signal)
    }
    await sending.drain()
  } finally {
    options.onProgress?.({ ...sending.totals })
    await client.close()
  }
  return sending.totals
}
