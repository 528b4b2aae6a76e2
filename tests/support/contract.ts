// What contract suites share: an adapter is a name and a way to open it on a fresh place.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'

/** A directory of its own for a test, removed afterwards. */
export function scratchDir(t: ExecutionContext, parent = tmpdir()): string {
  const dir = mkdtempSync(join(parent, 'clickledger-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }))
  return dir
}
