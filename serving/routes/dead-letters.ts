// Dead letters over HTTP: list, look at one, replay. The event log is opened by the first of these
// requests and not before: reports do not need it, and go on without it.
import { Type } from 'typebox'
import type { Catalogue } from '#platform/catalogue/port.ts'
import {
  deadLettersSince,
  findDeadLetter,
  listDeadLetters,
  type ReplayResult,
  replayDeadLetters,
  type StoredDeadLetter,
} from '#platform/dead-letters/dead-letters.ts'
import type { EventLog } from '#platform/event-log/port.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { actorOf, audit } from '../audit.ts'
import { operators, principalOf } from '../auth.ts'
import { answers } from '../schemas.ts'
import type { Server } from '../server.ts'

const limitMax = 200
const limitDefault = 50

export interface DeadLetterDeps {
  readonly catalogue: Catalogue
  /** Opens the event log once, and gives the same one again. */
  readonly log: () => Promise<EventLog>
  readonly now: () => number
}

const Letter = Type.Object({
  id: Type.String({ description: 'partition-offset on clicks.dlq.' }),
  topic: Type.String(),
  partition: Type.Integer({ description: 'Of the record that could not be processed.' }),
  offset: Type.Integer(),
  at: Type.String({ description: 'When it was put aside.' }),
  reason: Type.String(),
  bytes: Type.String({ description: 'The record as it was, base64.' }),
  replayed_at: Type.Union([Type.String(), Type.Null()]),
})

const Query = Type.Object(
  {
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: limitMax, description: `Default: ${limitDefault}.` }),
    ),
    cursor: Type.Optional(
      Type.String({ maxLength: 8_192, description: '`next` of the last page.' }),
    ),
  },
  { additionalProperties: false },
)

const LetterId = Type.String({ pattern: '^[0-9]{1,6}-[0-9]{1,15}$', examples: ['3-17'] })

const ReplayBody = Type.Object(
  {
    ids: Type.Optional(Type.Array(LetterId, { minItems: 1, maxItems: limitMax })),
    all: Type.Optional(
      Type.Literal(true, { description: `The next ${limitMax} letters; go on with \`next\`.` }),
    ),
    cursor: Query.properties.cursor,
  },
  { additionalProperties: false },
)

const ReplayAnswer = Type.Object({
  data: Type.Array(
    Type.Object({
      id: Type.String(),
      state: Type.Enum(['replayed', 'already-replayed', 'not-found', 'undecodable']),
      reason: Type.Optional(Type.String()),
    }),
  ),
  next: Type.Union([Type.String(), Type.Null()]),
})

const describe = ({ id, topic, partition, offset, error, value, ...letter }: StoredDeadLetter) => ({
  ...{ id, topic, partition, offset },
  at: new Date(letter.time).toISOString(),
  reason: error,
  bytes: value,
  replayed_at: letter.replayedAt === null ? null : new Date(letter.replayedAt).toISOString(),
})

const encodePositions = (positions: readonly number[]) =>
  Buffer.from(JSON.stringify(positions)).toString('base64url')

const isOffset = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0

function decodePositions(cursor: string): number[] {
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
    if (Array.isArray(value) && value.every(isOffset)) return value
  } catch {
    // Said below.
  }
  throw new ClickledgerError('bad-request', 'cursor: send `next` of the last page as it is')
}

function createPages({ log, catalogue }: DeadLetterDeps) {
  return async (cursor: string | undefined, limit: number) => {
    const stores = { log: await log(), catalogue }
    const from =
      cursor === undefined ? await deadLettersSince(stores.log, 0) : decodePositions(cursor)
    const { letters, positions, hasMore } = await listDeadLetters(stores, from, limit)
    return { letters, next: hasMore ? encodePositions(positions) : null }
  }
}

export function addDeadLetterRoutes(app: Server, deps: DeadLetterDeps): void {
  const page = createPages(deps)
  const find = async (id: string) =>
    findDeadLetter({ log: await deps.log(), catalogue: deps.catalogue }, id)

  app.get(
    '/v1/dead-letters',
    {
      config: { roles: operators },
      schema: {
        tags: ['operation'],
        summary: 'Records that could not be processed',
        description: 'Oldest first. They are kept for 30 days.',
        querystring: Query,
        response: answers(
          Type.Object({
            data: Type.Array(Letter),
            next: Type.Union([Type.String(), Type.Null()]),
          }),
        ),
      },
    },
    async ({ query: { cursor, limit = limitDefault } }) => {
      const { letters, next } = await page(cursor, limit)
      return { data: letters.map(describe), next }
    },
  )

  app.get(
    '/v1/dead-letters/:id',
    {
      config: { roles: operators },
      schema: {
        tags: ['operation'],
        summary: 'One record that could not be processed',
        params: Type.Object({ id: LetterId }),
        response: answers(Letter),
      },
    },
    async ({ params: { id } }) => {
      const letter = await find(id)
      if (!letter) throw new ClickledgerError('not-found', `there is no dead letter ${id}`)
      return describe(letter)
    },
  )

  addReplayRoute(app, deps, page, find)
}

function addReplayRoute(
  app: Server,
  { catalogue, log, now }: DeadLetterDeps,
  page: ReturnType<typeof createPages>,
  find: (id: string) => Promise<StoredDeadLetter | undefined>,
): void {
  app.post(
    '/v1/dead-letters/replay',
    {
      config: { roles: operators },
      schema: {
        tags: ['operation'],
        summary: 'Judge dead letters again',
        description:
          'Those that can be decoded by now are written to clicks.raw again. A click keeps its identity, so a replay that is repeated counts once.',
        body: ReplayBody,
        response: answers(ReplayAnswer),
      },
    },
    async (request) => {
      const { ids, all, cursor } = request.body
      if ((ids === undefined) === (all === undefined)) {
        throw new ClickledgerError(
          'bad-request',
          'body: give either ids, such as ["3-17"], or all: true',
        )
      }
      const { letters, next } = ids
        ? { letters: await Promise.all([...new Set(ids)].map(find)), next: null }
        : await page(cursor, limitMax)
      const found = letters.filter((letter) => letter !== undefined)
      const by = principalOf(request)
      const results: ReplayResult[] = await replayDeadLetters(
        { log: await log(), catalogue },
        found,
        { by: actorOf(by), now: now() },
      )
      const known = new Set(found.map(({ id }) => id))
      const missing = (ids ?? []).filter((id) => !known.has(id))
      const replayed = results.filter(({ state }) => state === 'replayed').map(({ id }) => id)
      await audit(catalogue, now(), by, 'dead-letters.replay', `${replayed.length} records`, {
        replayed,
      })
      return {
        data: [...results, ...missing.map((id) => ({ id, state: 'not-found' as const }))],
        next,
      }
    },
  )
}
