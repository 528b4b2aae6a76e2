// One connection to Redis that is there or is not: nobody waits for it. What was lost is dialled
// again in the background, with growing pauses; a server that takes questions and gives no answers
// is treated as lost.
import { createClient } from 'redis'
import { ClickledgerError } from '#schemas/errors.ts'
import { backoffMs, pause, within } from '../wait.ts'

const connectMs = 1_000
/** A call without an answer for this long: the server hangs, or its host is gone. */
const silenceMs = 2_000
const watchMs = 500
const pauseMaxMs = 5_000
/** A connection that did not live so long was no success: the pauses go on growing. */
const stableMs = 10_000
const callsMax = 1_000

function newClient(url: string) {
  return createClient({
    url,
    RESP: 2, // the only one that every server and proxy speaks
    disableOfflineQueue: true,
    commandsQueueMaxLength: callsMax,
    disableClientInfo: true,
    maintNotifications: 'disabled',
    socket: { connectTimeout: connectMs, reconnectStrategy: false },
  })
}

export type RedisClient = ReturnType<typeof newClient>

export interface RedisConnection {
  readonly isUp: boolean
  /** Makes a call on the connection. Rejects at once where there is none, or too many calls wait. */
  call<T>(work: (client: RedisClient) => Promise<T>): Promise<T>
  close(): Promise<void>
}

export interface RedisConnectionOptions {
  /** With the credentials. */
  readonly url: string
  /** Something every user of the connection may do; it shows wrong credentials. */
  probe(client: RedisClient): Promise<unknown>
  /** Told when the connection comes and goes. */
  onChange(isUp: boolean, reason: string): void
}

const refusal = /^(WRONGPASS|NOAUTH|NOPERM)|password|DB index/i

/** Never the URL: it holds the password. */
function reasonOf(error: unknown): string {
  const { message, errors } = error as { message?: string; errors?: { message?: string }[] }
  return message || errors?.[0]?.message || 'the connection was lost'
}

const wrongUrl = (what: string) =>
  new ClickledgerError('invalid-settings', `CLICKLEDGER_REDIS_URL: ${what}`)

/**
 * Opens the connection, or goes on trying in the background where no server answers.
 * @throws ClickledgerError `invalid-settings` where the URL is none, or the server refuses it
 */
export async function openRedisConnection(
  options: RedisConnectionOptions,
): Promise<RedisConnection> {
  const { url, probe, onChange } = options
  try {
    newClient(url).destroy()
  } catch {
    throw wrongUrl('not a redis:// or rediss:// URL') // without the cause: it quotes the URL
  }
  const closing = new AbortController()
  const calls = new Set<{ readonly startedAt: number }>() // in order: the first is the oldest
  let client: RedisClient | undefined
  let attempts = 0
  let upSince = 0

  const lose = (lost: RedisClient, reason: string): void => {
    lost.destroy()
    if (client !== lost) return
    client = undefined
    calls.clear()
    if (performance.now() - upSince > stableMs) attempts = 0
    if (closing.signal.aborted) return
    onChange(false, reason)
    void redial()
  }

  const dial = async (): Promise<void> => {
    const next = newClient(url)
    next.on('error', (error) => lose(next, reasonOf(error)))
    try {
      await within(
        next.connect().then(() => probe(next)),
        connectMs,
      )
    } catch (error) {
      next.destroy()
      throw error
    }
    if (closing.signal.aborted) return next.destroy()
    client = next
    upSince = performance.now()
    onChange(true, 'connected')
  }

  const redial = async (): Promise<void> => {
    while (!closing.signal.aborted && !client) {
      await pause(backoffMs(++attempts, pauseMaxMs), closing.signal)
      if (!closing.signal.aborted) await dial().catch(() => {})
    }
  }

  try {
    await dial()
  } catch (error) {
    const reason = reasonOf(error)
    if (refusal.test(reason)) {
      throw wrongUrl(`the server refuses its user, password or database; correct them (${reason})`)
    }
    onChange(false, reason)
    void redial()
  }
  const watch = setInterval(() => {
    const [oldest] = calls
    if (client && oldest && performance.now() - oldest.startedAt > silenceMs) {
      lose(client, `no answer in ${silenceMs} ms`)
    }
  }, watchMs)

  return {
    get isUp() {
      return client !== undefined
    },
    async call(work) {
      if (!client || calls.size >= callsMax) throw new ClickledgerError('unavailable')
      const call = { startedAt: performance.now() }
      calls.add(call)
      try {
        return await work(client)
      } finally {
        calls.delete(call)
      }
    },
    async close() {
      closing.abort()
      clearInterval(watch)
      client?.destroy()
      client = undefined
    },
  }
}
