// On whose behalf something is asked of the store, and until when somebody waits for it.
import type { FastifyReply } from 'fastify'
import type { Principal } from '#platform/api-keys.ts'

export interface Caller {
  /** Tenants take turns at the store; operators are one of them. */
  readonly tenant: string
  /** Aborted when the client has gone away: nobody waits for the answer any more. */
  readonly signal?: AbortSignal
}

/** Whoever has no tenant of its own: operators, pollers. */
export const operatorsCaller: Caller = { tenant: 'operators' }

function tenantOf({ advertiserIds, publisherIds }: Principal): string {
  if (advertiserIds.length + publisherIds.length === 0) return operatorsCaller.tenant
  return JSON.stringify([advertiserIds.toSorted(), publisherIds.toSorted()])
}

/** The caller of a request: its signal aborts when the connection closes before the answer is out. */
export function callerOf(principal: Principal, reply: FastifyReply): Caller {
  const gone = new AbortController()
  // Of the answer, not of the request: a request closes once its body is read.
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) gone.abort()
  })
  return { tenant: tenantOf(principal), signal: gone.signal }
}
