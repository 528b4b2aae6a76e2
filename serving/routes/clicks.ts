// GET /v1/clicks/{event_id}: what is known of one click, and why it is billed or not. A foreign click and an
// unknown one are the same 404: the advertiser is part of what is looked for.
import { Type } from 'typebox'
import { parseInstant } from '#core/buckets.ts'
import { parseEventId, timeOfEventId } from '#core/identity.ts'
import type { Receipt, ReceiptQuestion } from '#platform/receipts/receipts.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import type { ArchivedClick } from '#schemas/fields.ts'
import { hourMs, minuteMs } from '#schemas/paths.ts'
import { operators, principalOf, seesAdvertiser } from '../auth.ts'
import { answers, Id } from '../schemas.ts'
import type { Server } from '../server.ts'

/** Looks clicks up. */
export interface ReceiptReader {
  find(question: ReceiptQuestion): Promise<Receipt | undefined>
}

/** Clocks of those who make ids themselves may be this far off. */
const idWindowMs = 10 * minuteMs
const atWindowMs = hourMs
const latest = Date.UTC(2100, 0, 1)

const Params = Type.Object({ event_id: Type.String({ maxLength: 512 }) })
const Query = Type.Object(
  {
    at: Type.Optional(
      Type.String({
        maxLength: 64,
        description:
          'Event time, ISO 8601, within an hour: for ids that have no time in them (UUID version 7 and 8 have).',
        examples: ['2026-11-22T05:00:00Z'],
      }),
    ),
    advertiser_id: Type.Optional(Id),
  },
  { additionalProperties: false },
)

function bad(detail: string): never {
  throw new ClickledgerError('bad-request', detail)
}

/** Where to look: around the time that is given, or that is in the id. */
function rangeOf(id: string, at: string | undefined): { from: number; to: number } {
  const time = at === undefined ? timeOfEventId(id) : parseInstant(at, 'UTC')
  if (at !== undefined && (time === undefined || time < 0 || time > latest)) {
    return bad('at: should be an ISO 8601 time such as 2026-11-22T05:00:00Z')
  }
  if (time === undefined || time > latest) {
    return bad(
      'at: this id has no time in it; add when the click happened, such as at=2026-11-22T05:00:00Z',
    )
  }
  const window = at === undefined ? idWindowMs : atWindowMs
  return { from: Math.max(0, time - window), to: time + window }
}

/** Hashes of people and names of machines are for operators. */
const operatorFields = ['visitor', 'ip_hash', 'ip_prefix', 'user_hash', 'ingest_node'] as const
const identityFields = ['raw_partition', 'raw_offset'] as const
const iso = (time: number) => new Date(time).toISOString()

function factsOf(click: ArchivedClick, isOperator: boolean) {
  const hidden: readonly string[] = isOperator ? [] : operatorFields
  const shown = Object.entries(click).filter(
    ([name]) => !hidden.includes(name) && !(identityFields as readonly string[]).includes(name),
  )
  return {
    ...Object.fromEntries(shown),
    event_time: iso(click.event_time),
    received_time: iso(click.received_time),
  }
}

const placeOf = ({ event_time, received_time, raw_partition, raw_offset }: ArchivedClick) => ({
  ...{ event_time: iso(event_time), received_time: iso(received_time) },
  ...{ raw_partition, raw_offset },
})

/** What reports count the click as: batch's word below the boundary, the speed layer's above it. */
function countedAs({ speed, batch }: Receipt): string | null {
  if (batch.state === 'judged' && batch.in_force) return batch.status
  return speed.state === 'judged' ? speed.status : null
}

function describe(receipt: Receipt, isOperator: boolean) {
  const { click, isArchived, copies, speed, batch, repeats } = receipt
  const isFinal = batch.state === 'judged' && batch.in_force
  return {
    event_id: click.event_id,
    advertiser_id: click.advertiser_id,
    state: isArchived ? 'archived' : 'pending',
    provenance: isFinal ? 'final' : 'provisional',
    counted_as: countedAs(receipt),
    // Billing is by final numbers: before that nobody can say.
    billed: isFinal ? batch.status === 'valid' : null,
    facts: factsOf(click, isOperator),
    position: placeOf(click),
    copies: copies.map(placeOf),
    speed: speed.state === 'judged' ? { ...speed, judged_time: iso(speed.judged_time) } : speed,
    batch: batch.state === 'judged' ? { ...batch, published_at: iso(batch.published_at) } : batch,
    repeats: repeats ? repeatsShown(repeats, isOperator) : null,
  }
}

function repeatsShown(repeats: NonNullable<Receipt['repeats']>, isOperator: boolean) {
  const hidden: readonly string[] = isOperator ? [] : operatorFields
  const key = Object.entries(repeats.key).map(([name, value]) => [
    name,
    hidden.includes(name) ? 'the same' : value,
  ])
  return { ...repeats, key: Object.fromEntries(key) }
}

export function addClickRoute(
  app: Server,
  { receipts }: { receipts: ReceiptReader | undefined },
): void {
  app.get(
    '/v1/clicks/:event_id',
    {
      config: { roles: ['advertiser', ...operators] },
      schema: {
        tags: ['reports'],
        summary: 'The receipt of one click',
        description:
          'Facts, copies, what the speed layer and batch said, under which rule, with the earlier clicks that it repeats, and whether it is billed. `state` is `pending` while the click is not archived yet.',
        params: Params,
        querystring: Query,
        response: answers(Type.Object({}, { additionalProperties: true })),
      },
    },
    async (request, reply) => {
      const eventId = parseEventId(request.params.event_id)
      if (eventId === undefined) bad('event_id: should be a UUID')
      const { at, advertiser_id = '' } = request.query
      const { from, to } = rangeOf(eventId, at)
      const principal = principalOf(request)
      if (advertiser_id !== '' && !seesAdvertiser(principal, advertiser_id)) {
        throw new ClickledgerError('not-found')
      }
      if (!receipts) throw new ClickledgerError('unavailable', 'This process reads no archive.')
      const advertiserIds = advertiser_id === '' ? principal.advertiserIds : [advertiser_id]
      const receipt = await receipts.find({ eventId, advertiserIds, from, to })
      if (!receipt) {
        const range = `${iso(from)} and ${iso(to)}`
        const detail = `No click with this id happened between ${range}. Where its event time is another, add at.`
        throw new ClickledgerError('not-found', detail)
      }
      return reply
        .serializer(JSON.stringify)
        .send(describe(receipt, principal.role !== 'advertiser'))
    },
  )
}
