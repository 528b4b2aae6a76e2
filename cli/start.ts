// `start`: every layer in one process. Ingest, speed layer and archive each have a thread, the OLAP
// store has one, rebuilds have a pool; serving and the scheduler share this one.
import { createClock, type SharedClock } from '#platform/clock.ts'
import type { Settings } from '#platform/config.ts'
import { lockDirectory } from '#platform/directory-lock.ts'
import type { RunningLayer } from '#platform/layer.ts'
import { withMetricsEndpoint } from '#platform/metrics-server.ts'
import { openCatalogue } from '#platform/stack.ts'
import { prepareCatalogue } from './first-start.ts'
import { runServe } from './serve.ts'
import { announceInstance } from './session.ts'
import { startThread } from './threads/start-thread.ts'
import type { ThreadLayer } from './threads/thread-layers.ts'
import { welcome } from './welcome.ts'

export interface StartOptions {
  /** Say nothing on stdout. */
  readonly quiet?: boolean
  /** A clock of the caller's own; absent: system time. */
  readonly clock?: SharedClock
}

export interface RunningInstance {
  readonly ingestUrl: string
  readonly servingUrl: string
  /** Known on the first start, or given by the settings. */
  readonly adminKey: string | undefined
  readonly clock: SharedClock
  /** Fulfilled after close; rejected when a layer fails. */
  readonly done: Promise<void>
  close(): Promise<void>
}

/**
 * Starts everything. If a layer fails, now or later, the others are closed.
 * @throws ClickledgerError `already-running` where another instance has the data directory
 */
export async function startAll(
  settings: Settings,
  options: StartOptions,
): Promise<RunningInstance> {
  const clock = options.clock ?? createClock()
  const failed = Promise.withResolvers<never>()
  failed.promise.catch(() => {}) // seen by the owner on `done`
  await using starting = new AsyncDisposableStack()
  starting.defer(lockDirectory(settings.CLICKLEDGER_DATA_DIR))

  const catalogue = await openCatalogue(settings)
  starting.defer(() => catalogue.close())
  const adminKey = await prepareCatalogue(catalogue, {
    ...{ settings, now: clock.now() },
    showsKey: !options.quiet,
  })

  const keep = <L extends { close(): Promise<void>; done: Promise<void> }>(layer: L): L => {
    starting.defer(() => layer.close())
    layer.done.catch(failed.reject)
    return layer
  }
  // In the order of the flow backwards: who answers is up before who asks, who takes clicks is last.
  const threads: RunningLayer[] = []
  const startOne = async (layer: ThreadLayer) => {
    const thread = keep(await startThread(layer, settings, clock))
    threads.push(thread)
    return thread
  }
  const serve = await runServe(settings, clock, () => threads)
  const serving = keep(await withMetricsEndpoint(settings, serve))
  await startOne('archive')
  await startOne('speed')
  const ingest = await startOne('ingest')

  const ingestUrl = ingest.url ?? ''
  const servingUrl = serving.url ?? ''
  starting.defer(announceInstance(settings, { ingestUrl, servingUrl }))
  if (!options.quiet) {
    process.stdout.write(welcome({ settings, ingestUrl, servingUrl, adminKey, now: clock.now() }))
  }

  const running = starting.move()
  let closing: Promise<void> | undefined
  const close = () => {
    closing ??= running.disposeAsync()
    return closing
  }
  const closed = Promise.withResolvers<void>()
  const done = Promise.race([failed.promise, closed.promise]).catch(async (error) => {
    await close()
    throw error
  })
  done.catch(() => {}) // seen by the owner on `done`
  return {
    ...{ ingestUrl, servingUrl, adminKey, clock, done },
    close: () => close().then(closed.resolve, closed.reject),
  }
}
