// Layers report about themselves in the catalogue; others read it there.
import type { Heartbeats, LayerName } from '#schemas/heartbeats.ts'
import type { Queryable } from './catalogue/port.ts'

/** A node that has been silent for so long while another of its layer reported is gone. */
const goneAfterMs = 86_400_000

export interface Heartbeat<L extends LayerName> {
  readonly node: string
  readonly reportedAt: number
  readonly body: Heartbeats[L]
}

/** Replaces a node's last report. */
export async function reportHeartbeat<L extends LayerName>(
  catalogue: Queryable,
  layer: L,
  node: string,
  reportedAt: number,
  body: Heartbeats[L],
): Promise<void> {
  await catalogue.query(
    `INSERT INTO heartbeats (layer, node, reported_at, body) VALUES ($1, $2, $3, $4)
     ON CONFLICT (layer, node) DO UPDATE SET reported_at = excluded.reported_at, body = excluded.body`,
    [layer, node, reportedAt, JSON.stringify(body)],
  )
}

/** The last report of each node of a layer. */
export async function readHeartbeats<L extends LayerName>(
  catalogue: Queryable,
  layer: L,
): Promise<Heartbeat<L>[]> {
  const rows = await catalogue.query<{ node: string; reported_at: number; body: string }>(
    'SELECT node, reported_at, body FROM heartbeats WHERE layer = $1 ORDER BY node',
    [layer],
  )
  return rows.map((row) => ({
    node: row.node,
    reportedAt: Number(row.reported_at),
    body: JSON.parse(row.body),
  }))
}

/** The report that is newest, of one node or of several. */
export const newestReport = <R extends { readonly reportedAt: number }>(
  reports: readonly R[],
): R | undefined => reports.toSorted((a, b) => b.reportedAt - a.reportedAt)[0]

/**
 * Removes the reports of nodes that are gone, or the names of pods would add up for ever. Ingest's stay:
 * what a node said last, and whether it came back, is evidence for the sealing proof.
 */
export async function forgetGoneNodes(catalogue: Queryable): Promise<void> {
  await catalogue.query(
    `DELETE FROM heartbeats WHERE layer <> 'ingest' AND reported_at <
       (SELECT MAX(beside.reported_at) FROM heartbeats beside WHERE beside.layer = heartbeats.layer) - $1`,
    [goneAfterMs],
  )
}
