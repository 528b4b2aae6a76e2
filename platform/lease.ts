// A lease in the catalogue: of several processes one does the work, and when it dies another takes it
// over. A holder that was held up may not know yet that it has lost it: so what must not happen twice is
// guarded in the same transaction (`guard`), where the epoch tells.
import { ClickledgerError } from '#schemas/errors.ts'
import type { Queryable } from './catalogue/port.ts'

const ttlMs = 15_000
const renewEveryMs = 3_000

export interface LeaseOptions {
  readonly catalogue: Queryable
  readonly name: string
  /** Name of this process, the same after it was started again. */
  readonly holder: string
  readonly ttlMs?: number
  /** Of the machine, not of a test's own time: other processes compare with it. */
  readonly now?: () => number
  readonly onError?: (error: unknown) => void
}

export interface Lease {
  /** Whether it is held for certain: by this process's own clock it has not run out. */
  readonly isHeld: boolean
  /** Takes it where it is free. @returns whether it is held now */
  acquire(): Promise<boolean>
  /** @throws ClickledgerError `fenced` where it is not held */
  assertHeld(): void
  /** Part of a transaction: it goes through only while no other has taken the lease. */
  guard(tx: Queryable): Promise<void>
  /** Gives it back. */
  release(): Promise<void>
}

export function createLease(options: LeaseOptions): Lease {
  const { catalogue, name, holder, now = Date.now, onError = () => {} } = options
  const ttl = options.ttlMs ?? ttlMs
  let epoch: number | undefined
  let heldUntil = Number.NEGATIVE_INFINITY
  let isFirst = true

  const fenced = () => new ClickledgerError('fenced', `another process holds the lease "${name}"`)
  const isHeld = () => epoch !== undefined && performance.now() < heldUntil
  const lose = () => {
    epoch = undefined
    heldUntil = Number.NEGATIVE_INFINITY
  }

  const renew = async (): Promise<void> => {
    if (epoch === undefined) return
    const asked = performance.now()
    const rows = await catalogue.query(
      'UPDATE leases SET expires_at = $3 WHERE name = $1 AND epoch = $2 RETURNING epoch',
      [name, epoch, now() + ttl],
    )
    if (rows.length === 0) lose()
    else heldUntil = asked + ttl
  }
  const renewing = setInterval(() => renew().catch(onError), Math.min(renewEveryMs, ttl / 3))
  renewing.unref()

  return {
    get isHeld() {
      return isHeld()
    },
    async acquire() {
      if (isHeld()) return true
      // Started again, it takes over from itself at once: once only, or two of one name would fight.
      const mine = isFirst ? holder : ''
      isFirst = false
      const asked = performance.now()
      const [row] = await catalogue.query<{ epoch: number }>(
        `INSERT INTO leases (name, holder, epoch, expires_at) VALUES ($1, $2, 1, $3)
         ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, epoch = leases.epoch + 1,
           expires_at = excluded.expires_at
         WHERE leases.expires_at < $4 OR leases.holder = $5 RETURNING epoch`,
        [name, holder, now() + ttl, now(), mine],
      )
      if (!row) return false
      epoch = Number(row.epoch)
      heldUntil = asked + ttl
      return true
    },
    assertHeld() {
      if (!isHeld()) throw fenced()
    },
    async guard(tx) {
      // An update, not a look: nobody can take the lease until this transaction has ended.
      const rows = await tx.query(
        'UPDATE leases SET epoch = epoch WHERE name = $1 AND epoch = $2 RETURNING epoch',
        [name, epoch ?? -1],
      )
      if (rows.length > 0) return
      lose()
      throw fenced()
    },
    async release() {
      clearInterval(renewing)
      if (epoch === undefined) return
      const last = epoch
      lose()
      await catalogue.query('UPDATE leases SET expires_at = 0 WHERE name = $1 AND epoch = $2', [
        name,
        last,
      ])
    },
  }
}
