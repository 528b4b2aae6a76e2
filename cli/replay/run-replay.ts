// A file of clicks again as live HTTP clicks, in the order of their times and that much faster. The
// server's clock is their event time: what was ten minutes apart is ten seconds apart at speed 60, so
// rules with windows catch more than they would have caught in the original.

import { pause } from '#platform/wait.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import type { Api } from '../api.ts'
import {
  type ClickClient,
  type ClickRequest,
  createClickClient,
  headerText,
} from '../click-client.ts'
import type { ClickJson } from '../import/click.ts'
import { createKnownAds, type KnownAds } from '../import/known-ads.ts'
import type { Mapping } from '../import/mapping.ts'
import type { InputFile } from '../import/read-lines.ts'
import { readRows } from '../import/read-rows.ts'
import type { Progress } from '../progress.ts'

/** Clicks are sorted in memory: about 1 KB each. */
export const replayClicksMax = 2_000_000
const inFlightMax = 64
/** More often than this there is no need to look at the clock. */
const tickMs = 2

export interface ReplayOptions {
  readonly input: InputFile
  readonly mapping: Mapping | undefined
  readonly api: Api
  readonly ingestUrl: string
  /** Seconds of the file in one second. */
  readonly speed: number
  /** Clicks to send, at most: the first by time. */
  readonly limit?: number | undefined
  readonly createAds: boolean
  readonly advertiserId?: string | undefined
  readonly progress: Progress
  readonly signal?: AbortSignal | undefined
}

export interface ReplaySummary {
  readonly read: number
  readonly unusable: number
  readonly sent: number
  readonly accepted: number
  /** Clicks that do not count, by reason. */
  readonly failed: Readonly<Record<string, number>>
  readonly seconds: number
  /** How late the latest click was sent: above a second, the machine or the server is the limit. */
  readonly behind_seconds_max: number
}

/** A click as the request that a browser would send. */
export function clickRequest(click: ClickJson): ClickRequest {
  const query = new URLSearchParams()
  for (const name of ['campaign_id', 'publisher_id', 'impression_id', 'user_id'] as const) {
    const value = click[name]
    if (value !== undefined) query.set(name, value)
  }
  const search = query.size > 0 ? `?${query}` : ''
  const headers: Record<string, string> = {}
  if (click.user_agent !== undefined) headers['user-agent'] = headerText(click.user_agent)
  if (click.ip_address !== undefined) headers['x-forwarded-for'] = headerText(click.ip_address)
  if (click.referrer_url !== undefined) headers.referer = headerText(click.referrer_url)
  return { method: 'GET', path: `/click/${encodeURIComponent(click.ad_id)}${search}`, headers }
}

async function loadClicks(options: ReplayOptions, ads: KnownAds | undefined) {
  const clicks: ClickJson[] = []
  let [read, unusable] = [0, 0]
  for await (const rows of readRows(options.input, options.mapping)) {
    for (const { result } of rows) {
      read += 1
      const refusal =
        result.kind === 'reject'
          ? result
          : ads?.check({ adId: result.click.ad_id, owner: result.owner })
      if (refusal || result.kind === 'reject') unusable += 1
      else clicks.push(result.click)
    }
    if (clicks.length > replayClicksMax) {
      throw new ClickledgerError(
        'payload-too-large',
        `a replay sorts clicks in memory, ${replayClicksMax} at most: cut the file, or use import`,
      )
    }
    options.signal?.throwIfAborted()
  }
  clicks.sort((a, b) => a.timestamp_ms - b.timestamp_ms)
  return { clicks: clicks.slice(0, options.limit), read, unusable }
}

/** Sends each click when its time has come, at most 64 at once. */
async function sendAll(
  clicks: readonly ClickJson[],
  client: ClickClient,
  { speed, progress, signal }: ReplayOptions,
) {
  const failed: Record<string, number> = {}
  let [sent, accepted, behindMs] = [0, 0, 0]
  const inFlight = new Set<Promise<void>>()
  const send = async (click: ClickJson) => {
    const outcome = await client.send(clickRequest(click))
    if (outcome.kind === 'accepted') accepted += 1
    else failed[outcome.reason] = (failed[outcome.reason] ?? 0) + 1
  }
  const started = performance.now()
  const first = clicks[0]?.timestamp_ms ?? 0
  for (const click of clicks) {
    const dueAt = started + (click.timestamp_ms - first) / speed
    while (!signal?.aborted && (performance.now() < dueAt || inFlight.size >= inFlightMax)) {
      const waitMs = Math.max(tickMs, Math.min(dueAt - performance.now(), 1_000))
      const room = inFlight.size >= inFlightMax ? Promise.race(inFlight) : pause(waitMs, signal)
      await room
      progress.update({ done: sent, total: clicks.length, more: { accepted } })
    }
    if (signal?.aborted) break
    behindMs = Math.max(behindMs, performance.now() - dueAt)
    sent += 1
    const running: Promise<void> = send(click).finally(() => inFlight.delete(running))
    inFlight.add(running)
  }
  await Promise.all(inFlight)
  progress.update({ done: sent, total: clicks.length, more: { accepted } })
  return { sent, accepted, failed, seconds: (performance.now() - started) / 1000, behindMs }
}

/** Replays one file. @returns counts; what was not accepted is named */
export async function runReplay(options: ReplayOptions): Promise<ReplaySummary> {
  const { api, ingestUrl, createAds, advertiserId, progress } = options
  const ads = createAds ? await createKnownAds(api, advertiserId) : undefined
  const { clicks, read, unusable } = await loadClicks(options, ads)
  await ads?.createMissing()
  const client = createClickClient(ingestUrl, inFlightMax)
  try {
    const { behindMs, seconds, ...counts } = await sendAll(clicks, client, options)
    const round = (value: number) => Math.round(value * 1000) / 1000
    const times = { seconds: round(seconds), behind_seconds_max: round(behindMs / 1000) }
    return { read, unusable, ...counts, ...times }
  } finally {
    progress.finish()
    await client.close()
  }
}
