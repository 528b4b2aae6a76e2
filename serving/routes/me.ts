// Who a key is: what a page needs to know to show the right view. It decides nothing: every route asks
// for the role itself.
import { Type } from 'typebox'
import { everyRole, principalOf } from '../auth.ts'
import { answers } from '../schemas.ts'
import type { Server } from '../server.ts'

const Tenant = Type.Union([Type.String(), Type.Null()], { description: 'null: all of them.' })

const Me = Type.Object({
  role: Type.String(),
  advertiser_id: Tenant,
  publisher_id: Tenant,
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
      const { role, name, prefix, advertiserId, publisherId } = principalOf(request)
      return {
        ...{ role, name, prefix },
        advertiser_id: advertiserId || null,
        publisher_id: publisherId || null,
      }
    },
  )
}
