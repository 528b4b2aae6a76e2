// Who asks, and what of the data is theirs. A tenant's predicate goes into the filters of every
// query here, in one place; routes and pages cannot forget it.
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Filter } from '#core/report-query.ts'
import { bearerOf, type KeyLookup, type Principal, type Role } from '#platform/api-keys.ts'
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

const principals = new WeakMap<FastifyRequest, Principal>()

/** The holder of the key that the request came with. */
export function principalOf(request: FastifyRequest): Principal {
  const principal = principals.get(request)
  if (!principal) throw new ClickledgerError('unauthorized')
  return principal
}

/**
 * The key or token of an `Authorization` header: after `Bearer`, or as the password of HTTP Basic
 * under any user name, which is all that many BI clients can send. Undefined where there is none.
 * (The answer never asks a browser for Basic: one that remembered a key would send it unasked.)
 */
export function credentialOf(header: string | undefined): string | undefined {
  const [, basic] = /^Basic +([A-Za-z0-9+/_-]+={0,2})$/i.exec(header ?? '') ?? []
  if (basic === undefined) return bearerOf(header)
  const text = Buffer.from(basic, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  return colon < 0 ? undefined : text.slice(colon + 1) || undefined
}

/** The holder of a key. @throws ClickledgerError `unauthorized`, `forbidden`, `unavailable` */
export async function authenticate(
  lookup: KeyLookup,
  header: string | undefined,
  roles: readonly Role[],
): Promise<Principal> {
  const key = credentialOf(header)
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
    (principal.role === 'advertiser' && principal.advertiserIds.length === 0) ||
    (principal.role === 'publisher' && principal.publisherIds.length === 0)
  if (tenantless) throw new ClickledgerError('forbidden', 'The key names no tenant.')
  return principal
}

/** A route as it was added: what tests hold against their tables. */
export interface RouteEntry {
  readonly method: string
  readonly url: string
  /** Undefined: open to everybody. */
  readonly roles: readonly Role[] | undefined
}

/**
 * Demands a key with one of the route's roles, before the body is read. Before any route is added.
 * @returns the routes, complete when the server is ready
 */
export function protectRoutes(app: FastifyInstance, lookup: KeyLookup): readonly RouteEntry[] {
  const entries: RouteEntry[] = []
  app.addHook('onRoute', ({ url, method, config }) => {
    if (url.startsWith('/v1/') && !config?.roles) {
      throw new Error(`route ${url} says nothing about roles`)
    }
    for (const one of [method].flat()) entries.push({ method: one, url, roles: config?.roles })
  })
  app.addHook('onRequest', async (request) => {
    const { roles } = request.routeOptions.config
    if (!roles) return
    principals.set(request, await authenticate(lookup, request.headers.authorization, roles))
  })
  return entries
}

/** Whether something of an advertiser is the holder's to see. */
export const seesAdvertiser = ({ advertiserIds }: Principal, id: string): boolean =>
  advertiserIds.length === 0 || advertiserIds.includes(id)

/** The predicate of a tenant; empty for those who may see everything. */
export function tenantFilters({ advertiserIds, publisherIds }: Principal): Filter[] {
  const filters: Filter[] = []
  if (advertiserIds.length > 0) {
    filters.push({ dimension: 'advertiser_id', kind: 'in', values: advertiserIds })
  }
  if (publisherIds.length > 0) {
    filters.push({ dimension: 'publisher_id', kind: 'in', values: publisherIds })
  }
  return filters
}

/** The request, narrowed to what the key may see. */
export function scoped(request: ReportRequest, principal: Principal): ReportRequest {
  return { ...request, filters: [...tenantFilters(principal), ...request.filters] }
}
