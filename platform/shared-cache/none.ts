// No shared cache: every node has just its own memory.
import type { SharedCache } from './port.ts'

export const noSharedCache: SharedCache = {
  isUp: false,
  get: async () => ({ kind: 'away' }),
  set: async () => false,
  close: async () => {},
}
