// Tasks of Druid's overlord: handed in once, watched to their end. A task's id says what it does, so
// whoever comes after a crash finds what was done already. Druid does not run tasks in the order in which
// they were handed in: one whose rows nobody holds overtakes one that waits for more of them, and what was
// to be replaced is put back. So nothing is handed in beside tasks that nobody watches any more.
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
  /** Whose rows it replaces, some of which an older task may still replace; absent: it has no rivals. */
  readonly dataSource?: string
  spec(id: string): Readonly<Record<string, unknown>>
  /** Whether what an earlier attempt did is still in force. */
  inForce(): Promise<boolean>
}

type TaskEnd = 'SUCCESS' | 'FAILED' | 'RUNNING'

interface ListedTask {
  readonly id: string
  readonly type: string
  readonly statusCode: TaskEnd
}

/** @param signal - ends the watching; Druid goes on, and the next who asks for the same finds it */
export function createTasks(client: DruidClient, signal: AbortSignal) {
  const watched = new Set<string>()

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

  /** @param look - names the task that is waited for; undefined: none any more */
  const untilNone = async (look: () => Promise<string | undefined>): Promise<void> => {
    const deadline = performance.now() + taskTimeoutMs
    for (let id = await look(); id !== undefined; id = await look()) {
      if (signal.aborted) {
        throw new ClickledgerError('unavailable', `Closed while Druid's task ${id} was running.`)
      }
      if (performance.now() > deadline) {
        throw new ClickledgerError('unavailable', `Druid's task ${id} does not end.`)
      }
      await pause(pollMs, signal)
    }
  }

  const watch = async (id: string): Promise<void> => {
    watched.add(id)
    const look = async () => {
      const status = await statusOf(id)
      if (status?.end === 'FAILED') {
        throw new ClickledgerError('unavailable', `Druid's task ${id} failed: ${status.message}`)
      }
      return status?.end === 'SUCCESS' ? undefined : id
    }
    await untilNone(look).finally(() => watched.delete(id))
  }

  /** A task that nobody watches and that goes on: of a process that has ended, or of a run that was given up. */
  const leftBehind = async (dataSource: string): Promise<string | undefined> => {
    // All that have not ended, and one that has.
    const path = `/druid/indexer/v1/tasks?datasource=${dataSource}&max=1`
    const listed = (await client.askAgain({ path })) as readonly ListedTask[]
    const found = listed.find(
      ({ id, type, statusCode }) =>
        type === 'index_parallel' && statusCode === 'RUNNING' && !watched.has(id),
    )
    return found?.id
  }

  /** @returns whether there was one */
  const settle = async (dataSource: string): Promise<boolean> => {
    if ((await leftBehind(dataSource)) === undefined) return false
    await untilNone(() => leftBehind(dataSource))
    return true
  }

  return {
    /** Waits until nothing replaces rows of these any more that is not watched. @returns whether anything did */
    async settled(dataSources: readonly string[]): Promise<boolean> {
      return (await Promise.all(dataSources.map(settle))).includes(true)
    },
    /**
     * Does the work once: follows a running attempt, keeps one that is in force, else begins the next.
     * @throws ClickledgerError `unavailable` where it fails, or does not end
     */
    async run({ name, dataSource, spec, inForce }: TaskRequest): Promise<void> {
      if (dataSource !== undefined) await settle(dataSource)
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
