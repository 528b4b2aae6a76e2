// Tasks of Druid's overlord: handed in once, watched to their end. A task's id says what it does,
// so whoever comes after a crash finds the one that is already running.
import { createHash } from 'node:crypto'
import { ClickledgerError } from '#schemas/errors.ts'
import { pause } from '../wait.ts'
import { type DruidClient, DruidError } from './druid-http.ts'

const pollMs = 250
const taskTimeoutMs = 3_600_000
/** How often the same work can be done over, ever. */
const attemptsMax = 1_000

/** What a task works on, in few characters for its name. */
export const digestOf = (what: unknown): string =>
  createHash('sha256').update(JSON.stringify(what)).digest('hex').slice(0, 16)

export interface TaskRequest {
  /** What it does; the number of the attempt is put behind it. */
  readonly name: string
  spec(id: string): Readonly<Record<string, unknown>>
  /** Whether what an earlier attempt did is still in force. */
  inForce(): Promise<boolean>
}

type TaskEnd = 'SUCCESS' | 'FAILED' | 'RUNNING'

/** @param signal - ends the watching; Druid goes on, and the next who asks for the same finds it */
export function createTasks(client: DruidClient, signal: AbortSignal) {
  const statusOf = async (id: string): Promise<{ end: TaskEnd; message: string } | undefined> => {
    try {
      const path = `/druid/indexer/v1/task/${encodeURIComponent(id)}/status`
      const { status } = (await client.askAgain({ path })) as {
        status: { status: TaskEnd; errorMsg: string | null }
      }
      return { end: status.status, message: status.errorMsg ?? 'no reason given' }
    } catch (error) {
      if (error instanceof DruidError && error.status === 404) return undefined
      throw error
    }
  }

  const submit = async (spec: Readonly<Record<string, unknown>>): Promise<void> => {
    try {
      await client.askAgain({ path: '/druid/indexer/v1/task', body: spec })
    } catch (error) {
      // Asked twice because the first answer was lost: Druid knows the id already.
      if (error instanceof DruidError && /already exists/i.test(error.message)) return
      throw error
    }
  }

  const watch = async (id: string): Promise<void> => {
    const deadline = performance.now() + taskTimeoutMs
    for (;;) {
      const status = await statusOf(id)
      if (status?.end === 'SUCCESS') return
      if (status?.end === 'FAILED') {
        throw new ClickledgerError('unavailable', `Druid's task ${id} failed: ${status.message}`)
      }
      if (signal.aborted) {
        throw new ClickledgerError('unavailable', `Closed while Druid's task ${id} was running.`)
      }
      if (performance.now() > deadline) {
        throw new ClickledgerError('unavailable', `Druid's task ${id} does not end.`)
      }
      await pause(pollMs, signal)
    }
  }

  return {
    /** Does the work once: follows a running attempt, keeps one that is in force, else begins the next. */
    async run({ name, spec, inForce }: TaskRequest): Promise<void> {
      for (let attempt = 1; attempt <= attemptsMax; attempt++) {
        const id = `${name}_${attempt}`
        const status = await statusOf(id)
        if (status?.end === 'FAILED') continue
        if (status?.end === 'SUCCESS') {
          if (await inForce()) return
          continue
        }
        if (!status) await submit(spec(id))
        return watch(id)
      }
      throw new ClickledgerError('unavailable', `${name} was done ${attemptsMax} times over`)
    },
  }
}

export type Tasks = ReturnType<typeof createTasks>
