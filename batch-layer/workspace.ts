// Where a worker does one piece of work: the object store, a DuckDB of one thread within the memory of a
// worker, and a folder to spill to. All of it is gone afterwards, however the work ended.
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import type { Settings } from '#platform/config.ts'
import type { ObjectStore } from '#platform/object-store/port.ts'
import { dataPaths, openObjectStore } from '#platform/stack.ts'

export interface Workspace {
  readonly connection: DuckDBConnection
  readonly objects: ObjectStore
  /** Empty; for files of the work's own. */
  readonly dir: string
}

export interface WorkspaceOptions {
  /** Of the folder: what is being done. */
  readonly name: string
  /** Tables may outgrow the memory: they are kept in a file. Rows are in no order then. */
  readonly inFile?: boolean
}

/** Does the work in a fresh workspace. */
export async function withWorkspace<T>(
  settings: Settings,
  { name, inFile = false }: WorkspaceOptions,
  work: (workspace: Workspace) => Promise<T>,
): Promise<T> {
  const scratch = join(dataPaths(settings).scratch, 'rebuild')
  await mkdir(scratch, { recursive: true })
  const dir = await mkdtemp(join(scratch, `${name}-`))
  const objects = await openObjectStore(settings)
  const db = await DuckDBInstance.create(inFile ? join(dir, 'work.duckdb') : ':memory:', {
    threads: '1',
    memory_limit: `${settings.CLICKLEDGER_REBUILD_MEMORY}B`,
    temp_directory: dir,
    ...(inFile ? { preserve_insertion_order: 'false' } : {}),
  })
  const connection = await db.connect()
  try {
    return await work({ connection, objects, dir })
  } finally {
    connection.closeSync()
    db.closeSync()
    await objects.close()
    await rm(dir, { recursive: true, force: true })
  }
}
