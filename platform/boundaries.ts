// The boundary record: published, never inferred. The newest row is in force.

import { firstBoundary, type SealingProof } from '#core/boundary.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { hourMs } from '#schemas/paths.ts'
import type { Catalogue, Queryable } from './catalogue/port.ts'

export interface BoundaryRecord {
  readonly id: number
  /** Batch answers below, speed from here on; ms, a whole hour. */
  readonly boundary: number
  readonly publishedAt: number
  readonly publishedBy: string
  readonly reason: string
}

interface Row {
  boundary_id: number
  boundary: number
  published_at: number
  published_by: string
  reason: string
}

/**
 * The boundary in force; undefined before the first start has made one.
 * @param id - an earlier record instead
 */
export async function readBoundary(
  catalogue: Queryable,
  id?: number,
): Promise<BoundaryRecord | undefined> {
  const [row] = await catalogue.query<Row>(
    `SELECT boundary_id, boundary, published_at, published_by, reason FROM boundaries
     WHERE boundary_id = $1 OR $1 < 0 ORDER BY boundary_id DESC LIMIT 1`,
    [id ?? -1],
  )
  return (
    row && {
      id: Number(row.boundary_id),
      boundary: Number(row.boundary),
      publishedAt: Number(row.published_at),
      publishedBy: row.published_by,
      reason: row.reason,
    }
  )
}

/** The boundary in force. @throws ClickledgerError `unavailable` where none was ever published */
export async function boundaryInForce(catalogue: Queryable): Promise<BoundaryRecord> {
  const record = await readBoundary(catalogue)
  if (!record) throw new ClickledgerError('unavailable', 'No boundary has been published yet.')
  return record
}

export interface NewBoundary {
  readonly boundary: number
  readonly publishedAt: number
  readonly publishedBy: string
  readonly reason: string
  readonly runId?: string
  readonly proof?: SealingProof
}

/**
 * Publishes a boundary after the one with id `after`. Two publishers at once: one wins.
 * @returns whether this call published it
 */
export async function publishBoundary(
  catalogue: Queryable,
  after: number,
  next: NewBoundary,
): Promise<boolean> {
  if (next.boundary % hourMs !== 0) {
    throw new ClickledgerError('bad-request', 'a boundary is a whole hour')
  }
  const rows = await catalogue.query(
    `INSERT INTO boundaries (boundary_id, boundary, published_at, published_by, reason, run_id, proof)
     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (boundary_id) DO NOTHING RETURNING boundary_id`,
    [
      ...[after + 1, next.boundary, next.publishedAt, next.publishedBy, next.reason],
      ...[next.runId ?? '', JSON.stringify(next.proof ?? {})],
    ],
  )
  return rows.length > 0
}

/** Publishes the first boundary, the hour of the installation, where there is none. */
export async function ensureFirstBoundary(catalogue: Catalogue, now: number): Promise<void> {
  if (await readBoundary(catalogue)) return
  await publishBoundary(catalogue, 0, {
    boundary: firstBoundary(now),
    publishedAt: now,
    publishedBy: 'installation',
    reason: 'the hour of the installation',
  })
}
