// Whether something failed because a disk is full. Such work is tried again until there is room: in
// one process with ingest, giving up would stop the redirects too.

const sqliteFull = 13
const sqliteSharedMemorySize = 4874

/** Whether the error, or what caused it, is a full disk: of Node, SQLite or DuckDB. */
export function isDiskFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { code, errcode } = error as { code?: unknown; errcode?: unknown }
  // DuckDB has given its file up: that does not pass by itself, whatever was the reason.
  if (/database has been invalidated/.test(error.message)) return false
  if (code === 'ENOSPC' || errcode === sqliteFull || errcode === sqliteSharedMemorySize) return true
  return /No space left on device/.test(error.message) || isDiskFull(error.cause)
}
