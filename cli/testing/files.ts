// Files for tests: written where the test ends, removed with it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'

export function temporaryDir(t: ExecutionContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'clickledger-cli-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

export function temporaryFile(t: ExecutionContext, name: string, content: string | Buffer): string {
  const path = join(temporaryDir(t), name)
  writeFileSync(path, content)
  return path
}
