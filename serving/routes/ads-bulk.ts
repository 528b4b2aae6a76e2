// POST /v1/ads:bulk: many ads as newline-delimited JSON, streamed. Only faults are answered by the line.
import type { Readable } from 'node:stream'
import { Type } from 'typebox'
import type { Catalogue } from '#platform/catalogue/port.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { limits } from '#schemas/limits.ts'
import { audit } from '../audit.ts'
import { operators, principalOf } from '../auth.ts'
import { type BulkResult, storeAds } from '../catalogue/bulk-ads.ts'
import { answers } from '../schemas.ts'
import type { Server } from '../server.ts'

export interface BulkRouteDeps {
  readonly catalogue: Catalogue
  readonly now: () => number
}

const contentType = 'application/x-ndjson'

const Result = Type.Object({
  lines: Type.Integer(),
  upserted: Type.Integer(),
  rejected: Type.Integer(),
  faults: Type.Array(
    Type.Object({ line: Type.Integer(), reason: Type.String(), detail: Type.String() }),
    { description: 'The first thousand.' },
  ),
})

/** In a scope of its own: elsewhere the same content type is read into one text. */
export async function addBulkRoute(app: Server, { catalogue, now }: BulkRouteDeps): Promise<void> {
  await app.register(async (scope: Server) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser(contentType, (_, payload, done) => done(null, payload))
    scope.post(
      '/v1/ads::bulk',
      {
        config: {
          roles: operators,
          errors: ['bad-request', 'payload-too-large', 'unsupported-media-type'],
        },
        schema: {
          tags: ['catalogue'],
          summary: 'Create or update many ads, streamed',
          description: `Newline-delimited JSON as in POST /v1/ads; at most ${limits.bulkLinesMax} lines and ${limits.bulkBytesMax} bytes a request, stored a thousand at a time. A request that broke off is sent again: what is stored already does not change.`,
          consumes: [contentType],
          response: answers(Result),
        },
      },
      async (request) => {
        const body = request.body as Readable | null | undefined
        if (!body) throw new ClickledgerError('unsupported-media-type', `Send ${contentType}.`)
        let stored: BulkResult | undefined
        const keep = (result: BulkResult) => {
          stored = result
        }
        try {
          return await storeAds({ catalogue, now }, body, keep)
        } finally {
          // Also of a request that broke off: what it stored has changed the catalogue.
          const { lines = 0, upserted = 0, rejected = 0 } = stored ?? {}
          const counts = { lines, upserted, rejected }
          await audit(catalogue, now(), principalOf(request), 'ads.bulk', '', counts)
        }
      },
    )
  })
}
