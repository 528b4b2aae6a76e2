// Who asks, and what of the data is theirs. A tenant's predicate goes into the filters of every
// query here, in one place; routes and pages cannot forget it.
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Filter } from '#core/report-query.ts'
import { bearerOf, type Principal, type Role } from '#platform/api-keys.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import type { ReportRequest } from './reports/params.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may use the route; required for everything under /v1/. */
    roles?: readonly Role[]
  }
}

export const everyRole: readonly Role[] = ['advertiser', 'publisher', 'engineer', 'admin']
export const operators: readonly Role[] = ['engineer', 'admin']
export const admins: readonly Role[] = ['admin']

export type KeyLookup = (key: string) => Promise<Principal | undefined>

const principals = new WeakMap<FastifyRequest, Principal>()

/** The holder of the key that the request came with. */
export function principalOf(request: FastifyRequest): Principal {
  const principal = principals.get(request)
  if (!principal) throw new ClickledgerError('unauthorized')
  return principal
}

/** The holder of a key. @throws ClickledgerError `unauthorized`, `forbidden` */
export async function authenticate(
  lookup: KeyLookup,
  header: string | undefined,
  roles: readonly Role[],
): Promise<Principal> {
  const key = bearerOf(header)
  const principal = key === undefined ? undefined : await lookup(key)
  if (!principal) throw new ClickledgerError('unauthorized')
  if (!roles.includes(principal.role)) {
    throw new ClickledgerError(
      'forbidden',
      `This needs the role ${roles.join(' or ')}; the key has the role ${principal.role}.`,
    )
  }
  // A tenant's key without a tenant would see everybody's clicks: it sees nothing.
  const tenantless =
    (principal.role === 'advertiser' && principal.advertiserId === '') ||
    (principal.role === 'publisher' && principal.publisherId === '')
  if (tenantless) throw new ClickledgerError('forbidden', 'The key names no tenant.')
  return principal
}

/** Demands a key with one of the route's roles, before the body is read. */
export function protectRoutes(app: FastifyInstance, lookup: KeyLookup): void {
  app.addHook('onRoute', (route) => {
    if (route.url.startsWith('/v1/') && !route.config?.roles) {
      throw new Error(`route ${route.url} says nothing about roles`)
    }
  })
  app.addHook('onRequest', async (request) => {
    const { roles } = request.routeOptions.config
    if (!roles) return
    principals.set(request, await authenticate(lookup, request.headers.authorization, roles))
  })
}

/** The predicate of a tenant; empty for those who may see everything. */
export function tenantFilters({ advertiserId, publisherId }: Principal): Filter[] {
  const filters: Filter[] = []
  if (advertiserId !== '') {
    filters.push({ dimension: 'advertiser_id', kind: 'in', values: [advertiserId] })
  }
  if (publisherId !== '') {
    filters.push({ dimension: 'publisher_id', kind: 'in', values: [publisherId] })
  }
  return filters
}

/** The request, narrowed to what the key may see. */
export function scoped(request: ReportRequest, principal: Principal): ReportRequest {
  return { ...request, filters: [...tenantFilters(principal), ...request.filters] }
}
