// Who a key is: what a page needs to know to show the right view. It decides nothing: every route asks
// for the role itself.
import { Type } from 'typebox'
import { everyRole, principalOf } from '../auth.ts'
import { answers } from '../schemas.ts'
import type { Server } from '../server.ts'

const Tenants = Type.Array(Type.String(), { description: 'Empty: all of them.' })

const Me = Type.Object({
  role: Type.String(),
  advertiser_ids: Tenants,
  publisher_ids: Tenants,
  name: Type.String({ description: "The key's own name." }),
  prefix: Type.String({ description: 'How the key begins, for recognition.' }),
})

export function addMeRoute(app: Server): void {
  app.get(
    '/v1/me',
    {
      config: { roles: everyRole },
      schema: {
        tags: ['administration'],
        summary: 'Role and tenant of the key that asks',
        response: answers(Me),
      },
    },
    async (request) => {
      const { role, name, prefix, advertiserIds, publisherIds } = principalOf(request)
      return {
        ...{ role, name, prefix },
        advertiser_ids: [...advertiserIds],
        publisher_ids: [...publisherIds],
      }
    },
  )
}
