// Keys for hashes and signatures, all derived from one master secret (HKDF-SHA256), so that every
// node given the same secret agrees. Never logged.
import { hkdfSync, randomBytes } from 'node:crypto'
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Settings } from './config.ts'

export interface Secrets {
  /** Key of ip_hash. */
  readonly ipKey: Buffer
  /** Key of user_hash. */
  readonly userKey: Buffer
  /** Key of the seals on what is put in the shared cache. */
  readonly cacheKey: Buffer
  /** Key of the seals on cursors of paged answers. */
  readonly cursorKey: Buffer
  /** Signing keys by id; the first of `signingKeyIds` signs. */
  readonly signingKeys: ReadonlyMap<string, Buffer>
  readonly signingKeyId: string
}

function masterSecret(settings: Settings): Buffer {
  if (settings.CLICKLEDGER_SECRET !== '') return Buffer.from(settings.CLICKLEDGER_SECRET, 'utf8')
  const dir = settings.CLICKLEDGER_DATA_DIR
  const file = join(dir, 'secret')
  if (!existsSync(file)) {
    mkdirSync(dir, { recursive: true })
    const mine = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`
    writeFileSync(mine, randomBytes(32).toString('hex'), { mode: 0o600, flush: true })
    try {
      linkSync(mine, file) // of several starting at once, one wins
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    rmSync(mine)
  }
  return Buffer.from(readFileSync(file, 'utf8').trim(), 'utf8')
}

/** Derives all keys. Makes and keeps a master secret in the data directory where none is set. */
export function loadSecrets(settings: Settings): Secrets {
  const master = masterSecret(settings)
  const derive = (purpose: string) =>
    Buffer.from(hkdfSync('sha256', master, 'clickledger', purpose, 32))
  const ids = settings.CLICKLEDGER_SIGNING_KEY_IDS
  return {
    ipKey: derive('ip-hash'),
    userKey: derive('user-hash'),
    cacheKey: derive('shared-cache'),
    cursorKey: derive('cursors'),
    signingKeys: new Map(ids.map((id) => [id, derive(`sign:${id}`)])),
    signingKeyId: ids[0] ?? 'k1',
  }
}
