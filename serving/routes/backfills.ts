// Backfills as transactions: asked for, watched, judged, published or taken back. The work is the batch
// layer's; here requests are checked, written down and audited.
import { type TSchema, Type } from 'typebox'
import { parseRuleSet } from '#core/rules/rule-set.ts'
import type { Principal } from '#platform/api-keys.ts'
import type { Catalogue } from '#platform/catalogue/port.ts'
import { currentRuleSet } from '#platform/rule-sets.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { engines, type RunAction, runActions } from '#schemas/runs.ts'
import { actorOf, audit } from '../audit.ts'
import { operators, principalOf } from '../auth.ts'
import { actOnRun, requestRun, runById, untilPlanned } from '../backfills.ts'
import { hourRange } from '../hour-range.ts'
import { runsOf } from '../runs.ts'
import { answers, Id } from '../schemas.ts'
import type { Server } from '../server.ts'

export interface BackfillRouteDeps {
  readonly catalogue: Catalogue
  readonly now: () => number
}

const runsListed = 50
const closed = { additionalProperties: false }
const Params = Type.Object({ run_id: Type.String({ minLength: 1, maxLength: 512 }) })
const RunAnswer = Type.Object(
  {
    run_id: Type.String(),
    status: Type.String({
      description:
        'planned, running, awaiting-approval, approved, publishing, done, failed, interrupted or cancelled.',
    }),
    hours: Type.Integer(),
    hours_done: Type.Integer(),
  },
  { additionalProperties: true },
)
const from = Type.String({ maxLength: 64, description: 'First hour, ISO 8601.' })
const to = Type.String({ maxLength: 64, description: 'Exclusive; at most the boundary.' })
const reason = Type.String({
  minLength: 1,
  maxLength: 512,
  description: 'Kept with every number it changes.',
})

const NewBackfill = Type.Object(
  {
    ...{ from, to, reason },
    rule_set: Type.Optional(
      Type.Integer({ minimum: 1, description: 'Default: the one each hour was published under.' }),
    ),
    advertiser_id: Type.Optional(Id),
    engine: Type.Optional(Type.Enum(engines)),
    dry_run: Type.Optional(Type.Boolean({ description: 'Plan only.' })),
    approve: Type.Optional(
      Type.Boolean({ description: 'Publish without being asked, within the guard rails.' }),
    ),
  },
  closed,
)
const NewRehearsal = Type.Object({ ...{ from, to }, rules: Type.Unknown() }, closed)
const NewRollback = Type.Object({ reason }, closed)

const operation = (summary: string, response: TSchema, status = 200, more: object = {}) => ({
  config: { roles: operators },
  schema: { tags: ['batch'], summary, response: answers(response, status), ...more },
})

function addBackfillRoute(app: Server, { catalogue, now }: BackfillRouteDeps): void {
  app.post(
    '/v1/backfills',
    {
      config: { roles: operators, errors: ['not-found'] },
      schema: {
        tags: ['batch'],
        summary: 'Plan a backfill: rebuild published hours as a transaction',
        description:
          'Answers when it is planned. It is staged then, and waits for approval: look at `diff` of GET /v1/backfills/{run_id}.',
        body: NewBackfill,
        response: answers(RunAnswer, 202),
      },
    },
    async (request, reply) => {
      const principal = principalOf(request)
      const { reason: why, rule_set, advertiser_id, engine, dry_run, approve } = request.body
      if (rule_set !== undefined && advertiser_id !== undefined) {
        throw new ClickledgerError(
          'bad-request',
          'advertiser_id: an hour is judged under one rule set; leave rule_set out to rebuild one advertiser, or advertiser_id to change the rules',
        )
      }
      if (engine === 'spark' && advertiser_id !== undefined) {
        throw new ClickledgerError(
          'bad-request',
          'engine: spark rebuilds all advertisers of an hour; leave advertiser_id out, or engine',
        )
      }
      const runId = await requestRun(catalogue, now(), {
        ...{ kind: 'backfill', reason: why, createdBy: actorOf(principal) },
        plan: {
          ...hourRange(request.body),
          ...(rule_set === undefined ? {} : { ruleSet: rule_set }),
          ...(advertiser_id === undefined ? {} : { advertiserId: advertiser_id }),
          ...(engine === undefined ? {} : { engine }),
          ...(dry_run ? { isDryRun: true } : {}),
          approvesItself: approve ?? false,
        },
      })
      await audit(catalogue, now(), principal, 'backfill.start', runId, request.body)
      return reply.code(202).send(await untilPlanned(catalogue, runId))
    },
  )
}

function addRehearsalRoute(app: Server, { catalogue, now }: BackfillRouteDeps): void {
  app.post(
    '/v1/rehearsals',
    {
      config: { roles: operators, errors: ['not-found', 'invalid-rule-set'] },
      schema: {
        tags: ['batch'],
        summary: 'Try a rule set on archived hours; nothing is published',
        description: 'Its `result` has the change per rule, advertiser and day.',
        body: NewRehearsal,
        response: answers(RunAnswer, 202),
      },
    },
    async (request, reply) => {
      const principal = principalOf(request)
      const { version } = await currentRuleSet(catalogue)
      const rules = { ...(request.body.rules as object), version: version + 1 }
      parseRuleSet(rules)
      const runId = await requestRun(catalogue, now(), {
        ...{ kind: 'rehearsal', reason: 'rehearsal', createdBy: actorOf(principal) },
        plan: { ...hourRange(request.body), rules },
      })
      await audit(catalogue, now(), principal, 'rules.rehearse', runId, request.body)
      return reply.code(202).send(await untilPlanned(catalogue, runId))
    },
  )
}

/** A run that is done becomes a new run: the one that takes its numbers back. */
async function rollBack(
  { catalogue, now }: BackfillRouteDeps,
  principal: Principal,
  runId: string,
  why: string,
) {
  const run = await runById(catalogue, runId)
  if (run.hours_published === 0) {
    throw new ClickledgerError(
      'run-state',
      `the run is ${run.status}, and no published hour shows its numbers: nothing to roll back`,
    )
  }
  const rollback = await requestRun(catalogue, now(), {
    ...{ kind: 'rollback', reason: why, createdBy: actorOf(principal) },
    plan: { rollsBack: runId },
  })
  await audit(catalogue, now(), principal, 'backfill.rollback', runId, { run: rollback })
  return untilPlanned(catalogue, rollback)
}

function addActionRoutes(app: Server, deps: BackfillRouteDeps): void {
  const { catalogue, now } = deps
  const summaries: Record<RunAction, string> = {
    approve: 'Approve a run that waits for it: its numbers are published',
    cancel: 'Cancel a run that has published nothing yet',
    resume: 'Go on with a run that was broken off; what is staged is not staged again',
  }
  for (const action of Object.keys(runActions) as RunAction[]) {
    app.post(
      `/v1/backfills/:run_id/${action}`,
      {
        config: { roles: operators, errors: ['run-state'] },
        schema: {
          ...{ tags: ['batch'], summary: summaries[action] },
          ...{ params: Params, response: answers(RunAnswer) },
        },
      },
      async (request) => {
        const principal = principalOf(request)
        const { run_id } = request.params
        const run = await actOnRun(catalogue, run_id, action, actorOf(principal))
        await audit(catalogue, now(), principal, `backfill.${action}`, run_id)
        return run
      },
    )
  }
  app.post(
    '/v1/backfills/:run_id/rollback',
    {
      config: { roles: operators, errors: ['run-state'] },
      schema: {
        tags: ['batch'],
        summary: 'Take the numbers of a run back: those from before it are published again',
        ...{ params: Params, body: NewRollback, response: answers(RunAnswer, 202) },
      },
    },
    async (request, reply) => {
      const { run_id } = request.params
      const run = await rollBack(deps, principalOf(request), run_id, request.body.reason)
      return reply.code(202).send(run)
    },
  )
}

export function addBackfillRoutes(app: Server, deps: BackfillRouteDeps): void {
  const { catalogue } = deps
  addBackfillRoute(app, deps)
  addRehearsalRoute(app, deps)
  addActionRoutes(app, deps)
  app.get(
    '/v1/backfills',
    operation(
      'The last backfills, rollbacks and rehearsals',
      Type.Object({ data: Type.Array(RunAnswer) }),
    ),
    async () => ({ data: await runsOf(catalogue, { limit: runsListed, queued: true }) }),
  )
  app.get(
    '/v1/backfills/:run_id',
    {
      config: { roles: operators },
      schema: {
        ...{ tags: ['batch'], summary: 'Plan, progress, diff and result of a run' },
        ...{ params: Params, response: answers(RunAnswer) },
      },
    },
    async (request) => runById(catalogue, request.params.run_id),
  )
}
