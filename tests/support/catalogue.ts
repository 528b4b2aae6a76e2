// The catalogue that a test works on: the embedded one, or, for the same tests once more, PostgreSQL.
// TEST_CATALOGUE is set by the file that imports them (tests/catalogue-on-postgres.stack-test.ts).
import type { ExecutionContext } from 'ava'
import type { Catalogue } from '#platform/catalogue/port.ts'
import { readSettings } from '#platform/config.ts'
import { openCatalogue } from '#platform/stack.ts'
import { scratchDir } from './contract.ts'
import { freshNamespace, stackState } from './stack.ts'

/** Settings that name the catalogue; a fresh one each time where it is on a server. */
export function catalogueEnv(): Readonly<Record<string, string>> {
  if (process.env.TEST_CATALOGUE !== 'postgres') return {}
  return {
    CLICKLEDGER_POSTGRES_URL: stackState().env.CLICKLEDGER_POSTGRES_URL ?? '',
    CLICKLEDGER_NAMESPACE: freshNamespace(),
  }
}

/** A catalogue of its own for a test. */
export async function openTestCatalogue(t: ExecutionContext): Promise<Catalogue> {
  const env = { CLICKLEDGER_DATA_DIR: scratchDir(t), ...catalogueEnv() }
  const catalogue = await openCatalogue(readSettings(env))
  t.teardown(() => catalogue.close())
  return catalogue
}
