// What the catalogue holds, as data: the routes, the SQL and the checks of all five kinds follow from
// this list. An owner never changes: clicks already counted are billed to the one they were stamped with.
import { type TSchema, Type } from 'typebox'
import type { Principal, Role } from '#platform/api-keys.ts'
import { targetFault } from '#platform/catalogue/ads.ts'
import { places, type Queryable } from '#platform/catalogue/port.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { limits } from '#schemas/limits.ts'
import { admins, operators } from '../auth.ts'
import { Id } from '../schemas.ts'

export type FieldValue = string | boolean | readonly string[]
export type Fields = Readonly<Record<string, FieldValue>>

export interface Field {
  readonly schema: TSchema
  /** Of a replacement that does not name the field; absent: it must. */
  readonly otherwise?: (id: string) => FieldValue
  /** It stays as it was made. */
  readonly isFixed?: true
  /** Lists can be narrowed to one value of it. */
  readonly filters?: true
}

export interface Resource {
  readonly name: 'advertisers' | 'campaigns' | 'ads' | 'publishers' | 'placements'
  readonly one: string
  readonly id: string
  readonly owner: 'advertiser_id' | 'publisher_id'
  readonly readers: readonly Role[]
  readonly writers: readonly Role[]
  /** All but the id. */
  readonly fields: Readonly<Record<string, Field>>
  /** @throws ClickledgerError where the row refers to what is not there, or not its owner's */
  check?(tx: Queryable, id: string, row: Fields): Promise<void>
}

const name: Field = {
  schema: Type.String({ maxLength: 256 }),
  otherwise: (id) => id,
}
const advertiserId: Field = { schema: Id, isFixed: true, filters: true }

async function mustExist(tx: Queryable, one: string, id: string): Promise<void> {
  const [row] = await tx.query(`SELECT 1 AS one FROM ${one}s WHERE ${one}_id = $1`, [id])
  if (!row) throw new ClickledgerError('bad-request', `${one}_id: there is no ${one} ${id}`)
}

async function checkAd(tx: Queryable, _: string, row: Fields): Promise<void> {
  const fault = targetFault(String(row.target_url))
  if (fault) throw new ClickledgerError('bad-target', fault)
  await mustExist(tx, 'advertiser', String(row.advertiser_id))
  if (row.campaign_id === '') return
  const [campaign] = await tx.query<{ advertiser_id: string }>(
    'SELECT advertiser_id FROM campaigns WHERE campaign_id = $1',
    [String(row.campaign_id)],
  )
  if (!campaign) {
    throw new ClickledgerError(
      'bad-request',
      `campaign_id: there is no campaign ${row.campaign_id}`,
    )
  }
  if (campaign.advertiser_id !== row.advertiser_id) {
    throw new ClickledgerError(
      'ad-owner',
      `campaign ${row.campaign_id} belongs to another advertiser`,
    )
  }
}

async function checkPlacement(tx: Queryable, _: string, row: Fields): Promise<void> {
  await mustExist(tx, 'publisher', String(row.publisher_id))
  const ids = row.ad_ids as readonly string[]
  const known = await tx.query<{ ad_id: string }>(
    `SELECT ad_id FROM ads WHERE ad_id IN (${places(ids.length)})`,
    ids,
  )
  const missing = ids.find((id) => !known.some(({ ad_id }) => ad_id === id))
  if (missing) throw new ClickledgerError('bad-request', `ad_ids: there is no ad ${missing}`)
}

const advertisersToo: readonly Role[] = ['advertiser', ...operators]
const publishersToo: readonly Role[] = ['publisher', ...operators]

export const resources: readonly Resource[] = [
  {
    ...{ name: 'advertisers', one: 'advertiser', id: 'advertiser_id', owner: 'advertiser_id' },
    ...{ readers: advertisersToo, writers: admins },
    fields: {
      name,
      signed_only: {
        schema: Type.Boolean({ description: 'Unsigned clicks get the mark bad-signature.' }),
        otherwise: () => false,
      },
    },
  },
  {
    ...{ name: 'campaigns', one: 'campaign', id: 'campaign_id', owner: 'advertiser_id' },
    ...{ readers: advertisersToo, writers: operators },
    fields: { advertiser_id: advertiserId, name },
    check: (tx, _, row) => mustExist(tx, 'advertiser', String(row.advertiser_id)),
  },
  {
    ...{ name: 'ads', one: 'ad', id: 'ad_id', owner: 'advertiser_id' },
    ...{ readers: advertisersToo, writers: operators },
    fields: {
      advertiser_id: advertiserId,
      campaign_id: {
        schema: Type.Union([Id, Type.Literal('')], { description: 'Empty: none.' }),
        otherwise: () => '',
        filters: true,
      },
      name: { ...name, otherwise: () => '' },
      target_url: {
        schema: Type.String({
          maxLength: limits.targetUrlCharsMax,
          examples: ['https://a.example/'],
        }),
      },
    },
    check: checkAd,
  },
  {
    ...{ name: 'publishers', one: 'publisher', id: 'publisher_id', owner: 'publisher_id' },
    ...{ readers: publishersToo, writers: admins },
    fields: { name },
  },
  {
    ...{ name: 'placements', one: 'placement', id: 'slot', owner: 'publisher_id' },
    ...{ readers: publishersToo, writers: operators },
    fields: {
      publisher_id: { schema: Id, filters: true },
      ad_ids: { schema: Type.Array(Id, { minItems: 1, maxItems: 100, uniqueItems: true }) },
    },
    check: checkPlacement,
  },
]

/** The owners whose things the holder may see; empty: all. */
export function ownersOf({ owner }: Resource, principal: Principal): readonly string[] {
  return owner === 'advertiser_id' ? principal.advertiserIds : principal.publisherIds
}
