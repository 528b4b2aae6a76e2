// What main thread and sender thread say to each other, besides the words in shared memory.
import type { Settings } from '#platform/config.ts'
import type { IngestHeartbeat } from '#schemas/heartbeats.ts'

export interface SenderThreadData {
  readonly settings: Settings
  readonly dir: string
  readonly shared: SharedArrayBuffer
  readonly firstSegment: number
}

export type ToSender =
  | { readonly kind: 'heartbeat'; readonly reportedAt: number; readonly body: IngestHeartbeat }
  | { readonly kind: 'stop' }

export type FromSender =
  /** The shipped position moved; only sent where an answer waits for it. */
  | { readonly kind: 'shipped' }
  | {
      readonly kind: 'log'
      readonly level: 'info' | 'warn' | 'error'
      readonly text: string
      readonly fields: Readonly<Record<string, string | number>>
    }
