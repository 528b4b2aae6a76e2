// What reconciliation found: how the published hours compare with what the speed layer said of them.
// Read from the catalogue alone; the batch layer compares on its own, after each publication.
import { Type } from 'typebox'
import { parseInstant } from '#core/buckets.ts'
import type { Queryable } from '#platform/catalogue/port.ts'
import { type Reconciliation, reconciliationOf } from '#platform/reconciliation.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { type DifferenceClass, differenceClasses } from '#schemas/reconciliation.ts'
import { operators } from '../auth.ts'
import { answers } from '../schemas.ts'
import type { Server } from '../server.ts'

const instant = (description: string) =>
  Type.String({ description, minLength: 1, maxLength: 64, examples: ['2026-11-22T00:00:00Z'] })

const Params = Type.Object(
  {
    from: instant('First hour, ISO 8601; UTC where no offset is given.'),
    to: instant('Exclusive.'),
  },
  { additionalProperties: false },
)

const classList = Object.entries(differenceClasses)
  .map(([name, doc]) => `\`${name}\`: ${doc}`)
  .join('\n')

const Example = Type.Object({
  event_id: Type.String(),
  event_time: Type.String(),
  raw_partition: Type.Integer(),
  raw_offset: Type.Integer(),
  batch: Type.String({ description: 'What batch says; empty: nothing.' }),
  speed: Type.String({ description: 'What the speed layer said; empty: nothing.' }),
})

const HourAnswer = Type.Object({
  hour: Type.String(),
  run_id: Type.Union([Type.String(), Type.Null()], { description: 'null: batch has no numbers.' }),
  state: Type.Enum(['compared', 'waiting'], {
    description: '`waiting`: compared again later; `detail` says what is waited for.',
  }),
  detail: Type.String(),
  clicks: Type.Integer({ description: 'Raw clicks that the run was built from, copies included.' }),
  reconciled_at: Type.String(),
  differences: Type.Array(
    Type.Object({
      advertiser_id: Type.String(),
      class: Type.String({ description: classList }),
      clicks: Type.Integer(),
      examples: Type.Array(Example),
    }),
  ),
})

const Answer = Type.Object({
  meta: Type.Object({
    from: Type.String(),
    to: Type.String(),
    hours_waiting: Type.Integer(),
    hours_unseen: Type.Integer({ description: 'Published hours that were not compared yet.' }),
    is_cut: Type.Boolean({ description: 'There is more than an answer holds: ask for less.' }),
    totals: Type.Record(Type.String(), Type.Integer(), { description: 'Clicks by class.' }),
  }),
  data: Type.Array(HourAnswer),
})

const iso = (time: number) => new Date(time).toISOString()

function parseRange(asked: { from: string; to: string }): { from: number; to: number } {
  const [from, to] = [parseInstant(asked.from, 'UTC'), parseInstant(asked.to, 'UTC')]
  if (from === undefined || to === undefined || from >= to) {
    const detail =
      'from and to must be times in ISO 8601, such as 2026-11-22T05:00:00Z, from before to'
    throw new ClickledgerError('bad-request', detail)
  }
  return { from, to }
}

function answerOf(range: { from: number; to: number }, found: Reconciliation) {
  const totals: Partial<Record<DifferenceClass, number>> = {}
  for (const { class: name, clicks } of found.differences) {
    totals[name] = (totals[name] ?? 0) + clicks
  }
  const byHour = Map.groupBy(found.differences, ({ hour }) => hour)
  return {
    meta: {
      ...{ from: iso(range.from), to: iso(range.to), totals, is_cut: found.isCut },
      hours_waiting: found.hours.filter(({ state }) => state === 'waiting').length,
      hours_unseen: found.unseen,
    },
    data: found.hours.map(({ hour, runId, state, detail, compared, reconciledAt }) => ({
      ...{ hour: iso(hour), run_id: runId === '' ? null : runId, state, detail },
      ...{ clicks: compared, reconciled_at: iso(reconciledAt) },
      differences: (byHour.get(hour) ?? []).map((difference) => ({
        advertiser_id: difference.advertiserId,
        class: difference.class,
        clicks: difference.clicks,
        examples: difference.examples.map((e) => ({ ...e, event_time: iso(e.event_time) })),
      })),
    })),
  }
}

export function addReconciliationRoute(
  app: Server,
  { catalogue }: { readonly catalogue: Queryable },
): void {
  app.get(
    '/v1/reconciliation',
    {
      config: { roles: operators },
      schema: {
        tags: ['batch'],
        summary: 'Where batch and the speed layer differ, and why',
        description:
          'Hours in [from, to) by the numbers that are published now, each with its differences by advertiser and class.',
        querystring: Params,
        response: answers(Answer),
      },
    },
    async (request) => {
      const range = parseRange(request.query)
      return answerOf(range, await reconciliationOf(catalogue, range))
    },
  )
}
