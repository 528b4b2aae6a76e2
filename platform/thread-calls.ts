// Calls between threads: a table of async functions on one side, a proxy on the other. Errors keep
// their code. Arguments and results must be cloneable; but for an AbortSignal as the last argument,
// which becomes a signal of the other side.
import type { MessagePort, Worker } from 'node:worker_threads'
import { ClickledgerError, type ErrorCode, isErrorCode } from '#schemas/errors.ts'

interface Call {
  readonly id: number
  readonly method: string
  readonly args: readonly unknown[]
  /** The function gets a signal after its arguments. */
  readonly isAbortable: boolean
}
/** The call with this id is no longer wanted; it still gets its answer. */
interface Abort {
  readonly abort: number
}
interface Answer {
  readonly id: number
  readonly result?: unknown
  readonly error?: { readonly message: string; readonly code?: ErrorCode }
}

// biome-ignore lint/suspicious/noExplicitAny: any function, its types are checked at both ends
type Methods = Record<string, (...args: any[]) => Promise<unknown>>

/** Answers calls that come over the port. */
export function serveCalls(port: MessagePort, methods: Methods): void {
  const running = new Map<number, AbortController>()
  port.on('message', async (message: Call | Abort) => {
    if ('abort' in message) return running.get(message.abort)?.abort()
    const { id, method, args, isAbortable } = message
    const stop = new AbortController()
    if (isAbortable) running.set(id, stop)
    let answer: Answer
    try {
      const all = isAbortable ? [...args, stop.signal] : args
      answer = { id, result: await methods[method]?.(...all) }
    } catch (error) {
      const code = error instanceof ClickledgerError ? error.code : undefined
      answer = { id, error: { message: (error as Error).message, ...(code ? { code } : {}) } }
    }
    running.delete(id)
    port.postMessage(answer)
  })
}

/** An error that ended a thread lost its class on the way, but not its code. */
export function revived(error: Error & { readonly code?: unknown }): Error {
  const { code, message, cause } = error
  return isErrorCode(code) ? new ClickledgerError(code, message, cause) : error
}

/** A proxy whose methods run in the worker; calls fail with `unavailable` once the worker is gone. */
export function callWorker<T extends object>(worker: Worker): T {
  const waiting = new Map<number, { resolve(v: unknown): void; reject(e: Error): void }>()
  let nextId = 1
  let gone: Error | undefined
  worker.on('message', ({ id, result, error }: Answer) => {
    const call = waiting.get(id)
    waiting.delete(id)
    if (!error) call?.resolve(result)
    else
      call?.reject(
        error.code ? new ClickledgerError(error.code, error.message) : new Error(error.message),
      )
  })
  const end = (error: Error) => {
    gone ??= error
    for (const call of waiting.values()) call.reject(gone)
    waiting.clear()
  }
  worker.on('error', (error) => {
    const known = revived(error)
    const isKnown = known instanceof ClickledgerError
    end(isKnown ? known : new ClickledgerError('unavailable', 'the thread failed', error))
  })
  worker.on('exit', () => end(new ClickledgerError('unavailable', 'the thread has ended')))
  const abortable = async (id: number, signal: AbortSignal, answer: Promise<unknown>) => {
    const abort = () => worker.postMessage({ abort: id } satisfies Abort)
    signal.addEventListener('abort', abort, { once: true })
    if (signal.aborted) abort()
    try {
      return await answer
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }
  const methods = new Map<string, (...args: unknown[]) => Promise<unknown>>()
  const methodOf =
    (method: string) =>
    (...args: unknown[]): Promise<unknown> => {
      if (gone) return Promise.reject(gone)
      const id = nextId++
      const { promise, resolve, reject } = Promise.withResolvers<unknown>()
      waiting.set(id, { resolve, reject })
      const signal = args.at(-1) instanceof AbortSignal ? (args.at(-1) as AbortSignal) : undefined
      const sent = signal ? args.slice(0, -1) : args
      worker.postMessage({ id, method, args: sent, isAbortable: !!signal } satisfies Call)
      return signal ? abortable(id, signal, promise) : promise
    }
  return new Proxy({} as T, {
    get(_target, method) {
      // A proxy that looked like a promise would be awaited for ever.
      if (typeof method !== 'string' || method === 'then') return undefined
      let call = methods.get(method)
      if (!call) {
        call = methodOf(method)
        methods.set(method, call)
      }
      return call
    },
  })
}
