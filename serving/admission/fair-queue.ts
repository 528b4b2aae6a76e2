// Places at the store, shared fairly: tenants take turns however much each of them asks, and none
// holds all places. When the waiting room is full, whoever has most waiting gives way.
import { ClickledgerError } from '#schemas/errors.ts'

export interface FairLimits {
  /** Places in all. */
  readonly concurrentMax: number
  /** Places of one tenant. */
  readonly tenantMax: number
  /** Waiting in all. */
  readonly waitingMax: number
}

interface Waiting {
  enter(): void
  refuse(error: ClickledgerError): void
}

interface Tenant {
  running: number
  waiting: Waiting[]
}

export interface FairQueue {
  /**
   * Waits for a place. @returns how to leave it, to be called once
   * @throws ClickledgerError `too-many-requests` where the waiting room is full; the reason of the
   *   signal where that aborts first
   */
  enter(tenant: string, signal?: AbortSignal): Promise<() => void>
  load(): { readonly running: number; readonly waiting: number }
}

export function createFairQueue({ concurrentMax, tenantMax, waitingMax }: FairLimits): FairQueue {
  // In order of their turns: who was served last is last. Tenants that neither run nor wait are gone.
  const tenants = new Map<string, Tenant>()
  let running = 0
  let waiting = 0

  const full = () =>
    new ClickledgerError('too-many-requests', `${waiting} queries are waiting: that is the limit.`)

  const take = (name: string, tenant: Tenant) => {
    tenant.running++
    running++
    tenants.delete(name)
    tenants.set(name, tenant)
  }
  const forgetIdle = (name: string, tenant: Tenant) => {
    if (tenant.running === 0 && tenant.waiting.length === 0) tenants.delete(name)
  }
  const leave = (name: string, tenant: Tenant) => {
    tenant.running--
    running--
    forgetIdle(name, tenant)
    serveNext()
  }
  const serveNext = () => {
    if (running >= concurrentMax) return
    for (const [name, tenant] of tenants) {
      const next = tenant.running < tenantMax ? tenant.waiting.shift() : undefined
      if (!next) continue
      waiting--
      take(name, tenant)
      return next.enter()
    }
  }
  /** Makes room for one more of `mine`. @throws ClickledgerError where that would be unfair */
  const makeRoom = (mine: number) => {
    let longest: Tenant | undefined
    for (const tenant of tenants.values()) {
      if (tenant.waiting.length > (longest?.waiting.length ?? 0)) longest = tenant
    }
    if (!longest || longest.waiting.length <= mine + 1) throw full()
    longest.waiting.pop()?.refuse(full())
    waiting--
  }
  const wait = (name: string, tenant: Tenant, signal: AbortSignal | undefined): Promise<void> =>
    new Promise((resolve, reject) => {
      const giveUp = () => {
        const at = tenant.waiting.indexOf(one)
        if (at === -1) return
        tenant.waiting.splice(at, 1)
        waiting--
        forgetIdle(name, tenant)
        reject(signal?.reason)
      }
      const settle = (then: () => void) => () => {
        signal?.removeEventListener('abort', giveUp)
        then()
      }
      const one: Waiting = {
        enter: settle(resolve),
        refuse: (error) => settle(() => reject(error))(),
      }
      tenant.waiting.push(one)
      waiting++
      signal?.addEventListener('abort', giveUp, { once: true })
    })

  return {
    load: () => ({ running, waiting }),
    async enter(name, signal) {
      signal?.throwIfAborted()
      const tenant = tenants.get(name) ?? { running: 0, waiting: [] }
      if (running < concurrentMax && tenant.running < tenantMax) take(name, tenant)
      else {
        if (waiting >= waitingMax) makeRoom(tenant.waiting.length)
        tenants.set(name, tenant)
        await wait(name, tenant, signal)
      }
      let isIn = true
      return () => {
        if (isIn) leave(name, tenant)
        isIn = false
      }
    },
  }
}
