// The worker threads of the batch layer.
import { Piscina } from 'piscina'
import { ClickledgerError } from '#schemas/errors.ts'
import type * as workers from './pool-worker.ts'

type Workers = typeof workers
type Job = keyof Workers
type InputOf<J extends Job> = Parameters<Workers[J]>[0]
type ResultOf<J extends Job> = Extract<
  Awaited<ReturnType<Workers[J]>>,
  { readonly result: unknown }
>['result']

export interface WorkerPool {
  /** @throws what the worker threw, with its code */
  run<J extends Job>(job: J, input: InputOf<J>): Promise<ResultOf<J>>
  close(): Promise<void>
}

const idleMs = 10_000

export function openWorkerPool(threads: number): WorkerPool {
  const pool = new Piscina({
    filename: new URL('./pool-worker.ts', import.meta.url).href,
    ...{ minThreads: 0, maxThreads: threads, idleTimeout: idleMs },
  })
  return {
    async run(job, input) {
      const carried = await pool.run(input, { name: job })
      if ('result' in carried) return carried.result
      const { message, code } = carried.fault
      throw code ? new ClickledgerError(code, message) : new Error(message)
    },
    close: () => pool.destroy(),
  }
}
