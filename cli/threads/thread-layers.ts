// The layers that run as threads of `start`, by name.
import type { LayerContext, RunningLayer } from '#platform/layer.ts'
import { runArchive } from '../../batch-layer/archive/main.ts'
import { runIngest } from '../../ingest/main.ts'
import { runSpeedLayer } from '../../speed-layer/main.ts'

export const threadLayers = {
  ingest: runIngest,
  speed: runSpeedLayer,
  archive: runArchive,
} satisfies Record<string, (context: LayerContext) => Promise<RunningLayer>>

export type ThreadLayer = keyof typeof threadLayers
