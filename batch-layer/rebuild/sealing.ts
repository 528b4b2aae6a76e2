// Sealing by proof. The order is the proof: first every ingest node says that it has nothing old
// left, then the log's ends are read, then the archive must cover them.

import {
  type NodeReport,
  type SealingProof,
  sealableUntil,
  sealingObstacles,
} from '#core/boundary.ts'
import type { Catalogue } from '#platform/catalogue/port.ts'
import type { EventLog } from '#platform/event-log/port.ts'
import { readHeartbeats } from '#platform/heartbeats.ts'
import { topics } from '#schemas/topics.ts'
import { archivedEnds } from '../archive/archive-index.ts'
import { requestArchive } from '../archive/requests.ts'

export interface SealingParts {
  readonly catalogue: Catalogue
  readonly log: EventLog
  readonly now: () => number
  readonly latenessMs: number
  readonly nodeSilenceMs: number
}

export type Sealing =
  | { readonly kind: 'nothing' }
  | {
      readonly kind: 'waiting'
      readonly obstacles: readonly string[]
      readonly proof: SealingProof
    }
  | { readonly kind: 'proven'; readonly proof: SealingProof }

/** Collects the proof for moving the boundary; keeps what it has between calls. */
export function createSealing(parts: SealingParts) {
  const { catalogue, log, now, latenessMs, nodeSilenceMs } = parts
  let pending: SealingProof | undefined

  const begin = async (boundary: number): Promise<SealingProof> => {
    const readAt = now()
    const nodes: NodeReport[] = []
    const silentNodes: string[] = []
    for (const { node, reportedAt, body } of await readHeartbeats(catalogue, 'ingest')) {
      if (reportedAt < readAt - nodeSilenceMs) silentNodes.push(node)
      else nodes.push({ node, reportedAt, oldestUnshipped: body.oldestUnshipped ?? undefined })
    }
    const logEnds = await log.endOffsets(topics.raw.name)
    const archived = await archivedEnds(catalogue, logEnds.length)
    const partitions = logEnds.map((logEnd, partition) => ({
      partition,
      logEnd,
      archivedEnd: archived[partition] ?? 0,
    }))
    return { boundary, readAt, latenessMs, partitions, nodes, silentNodes }
  }

  const refresh = async (proof: SealingProof): Promise<SealingProof> => {
    const archived = await archivedEnds(catalogue, proof.partitions.length)
    const partitions = proof.partitions.map((p) => ({
      ...p,
      archivedEnd: archived[p.partition] ?? 0,
    }))
    return { ...proof, partitions }
  }

  return {
    /** Where sealing stands, given the boundary in force. */
    async step(boundary: number): Promise<Sealing> {
      const candidate = sealableUntil(now(), latenessMs)
      if (candidate <= boundary) {
        pending = undefined
        return { kind: 'nothing' }
      }
      if (pending && pending.boundary > boundary) {
        pending = await refresh(pending)
      } else {
        const begun = await begin(candidate)
        const nodeObstacles = sealingObstacles({ ...begun, partitions: [] })
        if (nodeObstacles.length > 0)
          return { kind: 'waiting', obstacles: nodeObstacles, proof: begun }
        // From here on the ends stay fixed: what the log accepts later need not be waited for.
        pending = begun
        await requestArchive(
          catalogue,
          begun.partitions.map((p) => p.logEnd),
          now(),
        )
      }
      const obstacles = sealingObstacles(pending)
      if (obstacles.length > 0) return { kind: 'waiting', obstacles, proof: pending }
      const proof = pending
      pending = undefined
      return { kind: 'proven', proof }
    },
  }
}
