// /livez: the process answers. /readyz: clicks can be made durable; also says how the event log and
// the catalogue are, which may be away for a while without harm. /metrics, /robots.txt.
import type { Registry } from 'prom-client'
import type { Queryable } from '#platform/catalogue/port.ts'
import type { Readiness } from '#platform/layer.ts'
import { within } from '#platform/wait.ts'
import type { Answers } from '../answer.ts'
import type { Visit } from '../visit.ts'
import type { Wal } from '../wal/wal.ts'

const catalogueTimeoutMs = 1_000
const rememberMs = 500

export interface HealthOptions {
  readonly wal: Wal
  readonly walBytesMax: number
  readonly catalogue: Queryable
  readonly registry: Registry
  readonly answers: Answers
  /** Whether close() was called: no new work is wanted. */
  isClosing(): boolean
}

export interface IngestReadiness extends Readiness {
  readonly wal: 'ok' | 'failing' | 'full'
  readonly log: 'ok' | 'unavailable'
  readonly catalogue: 'ok' | 'unavailable'
  /** Null until what an earlier process left is counted. */
  readonly wal_depth_clicks: number | null
  readonly wal_depth_bytes: number
}

export function createHealth(options: HealthOptions) {
  const { wal, catalogue, registry, answers } = options
  const checkCatalogue = rememberBriefly(() =>
    within(catalogue.query('SELECT 1'), catalogueTimeoutMs).then(
      () => true,
      () => false,
    ),
  )

  const readiness = async (): Promise<IngestReadiness> => {
    const { depthBytes, failing } = wal.writer
    const state = failing ? 'failing' : depthBytes >= options.walBytesMax ? 'full' : 'ok'
    return {
      ready: state === 'ok' && !options.isClosing(),
      wal: state,
      log: wal.control.failures === 0 ? 'ok' : 'unavailable',
      catalogue: (await checkCatalogue()) ? 'ok' : 'unavailable',
      wal_depth_clicks: wal.depthRecords ?? null,
      wal_depth_bytes: depthBytes,
    }
  }

  return {
    readiness,
    live: ({ response }: Visit) => answers.json(response, 200, { status: 'ok' }),
    async ready({ response }: Visit): Promise<void> {
      const state = await readiness()
      answers.json(response, state.ready ? 200 : 503, state)
    },
    async metrics({ response }: Visit): Promise<void> {
      answers.text(response, 200, registry.contentType, await registry.metrics())
    },
    robots: ({ response }: Visit) =>
      answers.text(response, 200, 'text/plain', 'User-agent: *\nDisallow: /\n'),
  }
}

/** One question at a time, its answer good for a moment: anybody may ask /readyz, often. */
function rememberBriefly<T>(ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined
  let until = 0
  return () => {
    const now = performance.now()
    if (!answer || now >= until) {
      answer = ask()
      until = now + rememberMs
    }
    return answer
  }
}
