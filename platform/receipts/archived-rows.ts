// Rows of Parquet objects: of the archives and of what runs staged. A DuckDB for one receipt, that reads
// local copies; files older than a field do not have its column, which reads as unknown.
import { DuckDBInstance } from '@duckdb/node-api'
import { ClickledgerError } from '#schemas/errors.ts'
import type { ObjectStore } from '../object-store/port.ts'

const memoryLimit = '256MB'

export type ArchivedRow = Readonly<Record<string, string | number>> & {
  /** Key of the object that it is in. */
  readonly file: string
}

export interface RowReader {
  /**
   * Rows of these objects that a condition holds for.
   * @param where - SQL over the columns, with `$name` for parameters
   * @param tail - ORDER BY and LIMIT
   * @throws ClickledgerError `archive-gap` where an object is missing, `query-timeout`
   */
  rows(
    keys: readonly string[],
    where: string,
    parameters?: Readonly<Record<string, string | number>>,
    tail?: string,
  ): Promise<ArchivedRow[]>
}

const quote = (path: string) => `'${path.replaceAll("'", "''")}'`

/** Does the work with a reader that ends after `timeoutMs`. */
export async function withRowReader<T>(
  objects: ObjectStore,
  timeoutMs: number,
  work: (reader: RowReader) => Promise<T>,
): Promise<T> {
  const db = await DuckDBInstance.create(':memory:', { threads: '1', memory_limit: memoryLimit })
  const connection = await db.connect()
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    connection.interrupt()
  }, timeoutMs)
  const tooLate = () => new ClickledgerError('query-timeout', 'The archive took too long to read.')
  const rows: RowReader['rows'] = async (keys, where, parameters = {}, tail = '') => {
    if (keys.length === 0) return []
    const paths = new Map<string, string>()
    for (const key of keys) {
      if (isLate) throw tooLate()
      paths.set(await objects.localPath(key), key)
    }
    const list = [...paths.keys()].map(quote).join(', ')
    const found = await connection.runAndReadAll(
      `SELECT * FROM read_parquet([${list}], hive_partitioning = false, union_by_name = true, filename = 'local_file')
       WHERE ${where} ${tail}`,
      parameters,
    )
    return found.getRowObjectsJS().map((row) => plainRow(row, paths))
  }
  try {
    return await work({ rows })
  } catch (error) {
    throw isLate ? tooLate() : error
  } finally {
    clearTimeout(timer)
    connection.closeSync()
    db.closeSync()
  }
}

function plainRow(row: Record<string, unknown>, paths: ReadonlyMap<string, string>): ArchivedRow {
  const { local_file, ...columns } = row
  const plain: Record<string, string | number> = {}
  for (const [name, value] of Object.entries(columns)) {
    if (typeof value === 'bigint' || typeof value === 'number') plain[name] = Number(value)
    else if (typeof value === 'string') plain[name] = value
  }
  return { ...plain, file: paths.get(String(local_file)) ?? '' }
}
