// Waiting, bounded and interruptible.
import { setTimeout as delay } from 'node:timers/promises'
import { ClickledgerError } from '#schemas/errors.ts'

/** Waits, or less if the signal aborts first. Never throws. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => {})
}

/** Delay before attempt `n` (from 1): doubles from 50 ms, at most `maxMs`, half of it random. */
export function backoffMs(attempt: number, maxMs = 5_000): number {
  const full = Math.min(maxMs, 50 * 2 ** Math.min(attempt - 1, 20))
  return full / 2 + Math.random() * (full / 2)
}

/**
 * The result of `work`, if it comes in time.
 * @param fault - makes the error of one that does not
 * @throws ClickledgerError `unavailable`, or what `fault` makes
 */
export async function within<T>(
  work: Promise<T>,
  ms: number,
  fault: () => Error = () => new ClickledgerError('unavailable', `no answer in ${ms} ms`),
): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    // Timers come first in a turn: after one in which the process was busy, or stood still with its machine,
    // an answer may lie there that came long ago.
    timer = setTimeout(() => setImmediate(() => reject(fault())), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

/**
 * The result of `work`; undefined when the signal aborts first, and the work goes on unobserved.
 * Leaves nothing behind on the signal, unlike a race against a promise that lives long.
 */
export async function unlessAborted<T>(
  work: Promise<T>,
  signal: AbortSignal,
): Promise<T | undefined> {
  const aborted = Promise.withResolvers<undefined>()
  const stop = () => aborted.resolve(undefined)
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  try {
    return await Promise.race([work, aborted.promise])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

export interface UntilOptions {
  /** Three minutes unless told: longer than what is to come takes on the busiest machine. */
  readonly timeoutMs?: number
  readonly everyMs?: number
  /** What is waited for; a function says at the deadline also what was there instead. */
  readonly what: string | (() => string)
}

/** Polls until `check` gives something truthy. @throws Error naming `what` at the deadline */
export async function until<T>(
  check: () => Promise<T> | T,
  { timeoutMs = 180_000, everyMs = 10, what }: UntilOptions,
): Promise<NonNullable<T>> {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    const result = await check()
    if (result) return result
    if (Date.now() > deadline) {
      const told = typeof what === 'string' ? what : what()
      throw new Error(`not within ${timeoutMs} ms: ${told}`)
    }
    await pause(everyMs)
  }
}
