// What each server of the stack gives: how it is started, when it is ready, how it is stopped. A plan
// follows from the configuration alone, so any process that reads the state file can make it again.
import type { Launch } from '../processes.ts'

export interface ServerPlan extends Omit<Launch, 'pidFile' | 'logFile'> {
  /** Folders and configuration files; leaves alone what is there already. */
  prepare?(): Promise<void> | void
  /** Asks it, as a client does; a refusal is false or thrown. */
  isReady(): Promise<boolean>
  /** What it must hold to be of use: databases, buckets, rules. Runs after each start. */
  provide?(): Promise<void>
  readonly stopSignal?: NodeJS.Signals
  /** An orderly stop may take so long; then it is killed. */
  readonly stopTimeoutMs: number
}
