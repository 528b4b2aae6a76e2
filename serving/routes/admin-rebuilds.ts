// Rebuilds: started through an interface that the batch layer fulfils, watched in the catalogue.
// Hours above the boundary are not rebuilt on request: they are the speed layer's until sealed.
import { Type } from 'typebox'
import type { Queryable } from '#platform/catalogue/port.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { audit } from '../audit.ts'
import { operators, principalOf } from '../auth.ts'
import { hourRange } from '../hour-range.ts'
import { runsOf } from '../runs.ts'
import { answers, NewRebuild } from '../schemas.ts'
import type { Server } from '../server.ts'

export interface RebuildOrder {
  /** Hours [from, to), ms; both absent: all hours that are dirty. */
  readonly from?: number
  readonly to?: number // exclusive
  readonly reason: string
  /** Version to judge under; absent: the one each hour was published under, else the newest. */
  readonly ruleSet?: number
}

/** What serving needs of the batch layer. */
export interface BatchControl {
  /** @returns the run's id once it is recorded; undefined where there was nothing to rebuild */
  startRebuild(order: RebuildOrder): Promise<string | undefined>
}

export interface RebuildRouteDeps {
  readonly catalogue: Queryable
  readonly control: BatchControl | undefined
  readonly now: () => number
}

const runsListed = 50
const RunStarted = Type.Object({
  run_id: Type.Union([Type.String(), Type.Null()], { description: 'null: nothing to rebuild.' }),
})
const RunAnswer = Type.Object(
  {
    run_id: Type.String(),
    status: Type.String({ description: 'As of a backfill: awaiting-approval, done, failed, ...' }),
    hours: Type.Integer(),
    hours_done: Type.Integer(),
    hours_published: Type.Integer(),
  },
  { additionalProperties: true },
)

type Asked = { from?: string; to?: string; dirty?: boolean }

/** Either a range of hours, or everything that is dirty. */
function rangeOf({ from, to, dirty }: Asked): Pick<RebuildOrder, 'from' | 'to'> {
  if (from === undefined && to === undefined) {
    if (dirty === false) throw new ClickledgerError('bad-request', 'give from and to, or dirty')
    return {}
  }
  if (from === undefined || to === undefined || dirty === true) {
    throw new ClickledgerError('bad-request', 'give both from and to, or only dirty')
  }
  return hourRange({ from, to })
}

export function addRebuildRoutes(app: Server, deps: RebuildRouteDeps): void {
  const { catalogue, control, now } = deps
  app.post(
    '/v1/rebuilds',
    {
      config: { roles: operators },
      schema: {
        tags: ['batch'],
        summary: 'Rebuild hours from the archive',
        description:
          'The hours in [from, to) below the boundary, or all dirty ones. Archives first what the log holds; answers when the run is recorded. Watch GET /v1/rebuilds/{run_id}.',
        body: NewRebuild,
        response: answers(RunStarted, 202),
      },
    },
    async (request, reply) => {
      const principal = principalOf(request)
      const range = rangeOf(request.body)
      if (!control) {
        throw new ClickledgerError('unavailable', 'No batch layer is attached to this process.')
      }
      const { reason = 'asked for through the API', rule_set } = request.body
      const order = { ...range, reason, ...(rule_set === undefined ? {} : { ruleSet: rule_set }) }
      const runId = await control.startRebuild(order)
      const subject = runId ?? ''
      await audit(catalogue, now(), principal, 'rebuild.start', subject, request.body)
      return reply.code(202).send({ run_id: runId ?? null })
    },
  )
  app.get(
    '/v1/rebuilds',
    {
      config: { roles: operators },
      schema: {
        tags: ['batch'],
        summary: 'The last runs',
        response: answers(Type.Object({ data: Type.Array(RunAnswer) })),
      },
    },
    async () => ({ data: await runsOf(catalogue, { limit: runsListed }) }),
  )
  app.get(
    '/v1/rebuilds/:run_id',
    {
      config: { roles: operators },
      schema: {
        tags: ['batch'],
        summary: 'Progress of a run',
        params: Type.Object({ run_id: Type.String({ maxLength: 512, minLength: 1 }) }),
        response: answers(RunAnswer),
      },
    },
    async (request) => {
      const [run] = await runsOf(catalogue, { runId: request.params.run_id, limit: 1 })
      if (!run) throw new ClickledgerError('not-found')
      return run
    },
  )
}
