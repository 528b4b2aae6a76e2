// Advertisers' policies, publishers and placements.
import { Type } from 'typebox'
import type { Catalogue, Queryable } from '#platform/catalogue/port.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { audit } from '../audit.ts'
import { admins, operators, principalOf } from '../auth.ts'
import { answers, NewAdvertiser, NewPlacement, NewPublisher } from '../schemas.ts'
import type { Server } from '../server.ts'

export interface CatalogueRouteDeps {
  readonly catalogue: Catalogue
  readonly now: () => number
}

const Stored = Type.Object({}, { additionalProperties: true })

function addAdvertiserRoute(app: Server, { catalogue, now }: CatalogueRouteDeps): void {
  app.post(
    '/v1/advertisers',
    {
      config: { roles: admins },
      schema: {
        tags: ['catalogue'],
        summary: 'Create or update an advertiser',
        body: NewAdvertiser,
        response: answers(Stored),
      },
    },
    async (request) => {
      const { advertiser_id, name, signed_only } = request.body
      await catalogue.transaction(async (tx) => {
        await tx.query(
          `INSERT INTO advertisers (advertiser_id, name, signed_only, created_at)
           VALUES ($1, $2, $3, $4) ON CONFLICT (advertiser_id) DO UPDATE SET
             name = CASE WHEN $5 = 1 THEN excluded.name ELSE advertisers.name END,
             signed_only = CASE WHEN $6 = 1 THEN excluded.signed_only ELSE advertisers.signed_only END,
             revision = advertisers.revision + 1`,
          [
            advertiser_id,
            name ?? advertiser_id,
            signed_only ? 1 : 0,
            now(),
            name === undefined ? 0 : 1,
            signed_only === undefined ? 0 : 1,
          ],
        )
        const principal = principalOf(request)
        await audit(tx, now(), principal, 'advertisers.upsert', advertiser_id, request.body)
      })
      return request.body
    },
  )
}

function addPublisherRoute(app: Server, { catalogue, now }: CatalogueRouteDeps): void {
  app.post(
    '/v1/publishers',
    {
      config: { roles: admins },
      schema: {
        tags: ['catalogue'],
        summary: 'Create or rename a publisher',
        body: NewPublisher,
        response: answers(Stored),
      },
    },
    async (request) => {
      const { publisher_id, name } = request.body
      await catalogue.transaction(async (tx) => {
        await tx.query(
          `INSERT INTO publishers (publisher_id, name, created_at) VALUES ($1, $2, $3)
           ON CONFLICT (publisher_id) DO UPDATE SET
             name = CASE WHEN $4 = 1 THEN excluded.name ELSE publishers.name END,
             revision = publishers.revision + 1`,
          [publisher_id, name ?? publisher_id, now(), name === undefined ? 0 : 1],
        )
        const principal = principalOf(request)
        await audit(tx, now(), principal, 'publishers.upsert', publisher_id, request.body)
      })
      return request.body
    },
  )
}

async function checkPlacement(tx: Queryable, publisherId: string, adIds: readonly string[]) {
  const [publisher] = await tx.query('SELECT 1 AS one FROM publishers WHERE publisher_id = $1', [
    publisherId,
  ])
  if (!publisher) {
    throw new ClickledgerError('bad-request', `there is no publisher ${publisherId}`)
  }
  for (const adId of adIds) {
    const [ad] = await tx.query('SELECT 1 AS one FROM ads WHERE ad_id = $1', [adId])
    if (!ad) throw new ClickledgerError('bad-request', `there is no ad ${adId}`)
  }
}

function addPlacementRoute(app: Server, { catalogue, now }: CatalogueRouteDeps): void {
  app.post(
    '/v1/placements',
    {
      config: { roles: operators },
      schema: {
        tags: ['catalogue'],
        summary: 'Create or change a placement',
        body: NewPlacement,
        response: answers(Stored),
      },
    },
    async (request) => {
      const { slot, publisher_id, ad_ids } = request.body
      await catalogue.transaction(async (tx) => {
        await checkPlacement(tx, publisher_id, ad_ids)
        await tx.query(
          `INSERT INTO placements (slot, publisher_id, ad_ids, created_at) VALUES ($1, $2, $3, $4)
           ON CONFLICT (slot) DO UPDATE SET
             publisher_id = excluded.publisher_id, ad_ids = excluded.ad_ids,
             revision = placements.revision + 1`,
          [slot, publisher_id, JSON.stringify(ad_ids), now()],
        )
        await audit(tx, now(), principalOf(request), 'placements.upsert', slot, request.body)
      })
      return request.body
    },
  )
}

export function addCatalogueRoutes(app: Server, deps: CatalogueRouteDeps): void {
  addAdvertiserRoute(app, deps)
  addPublisherRoute(app, deps)
  addPlacementRoute(app, deps)
}
