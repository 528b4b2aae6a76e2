// With the catalogue in PostgreSQL, everything else embedded: nothing else knows of keys.
import test from 'ava'
import { scratchDir } from '../support/contract.ts'
import { stackSettings } from '../support/stack.ts'
import { testAccess } from './access.ts'

testAccess(test, {
  name: 'catalogue in PostgreSQL',
  env: (t) => {
    const { CLICKLEDGER_POSTGRES_URL, CLICKLEDGER_NAMESPACE } = stackSettings(t)
    return {
      CLICKLEDGER_DATA_DIR: scratchDir(t),
      CLICKLEDGER_POSTGRES_URL,
      CLICKLEDGER_NAMESPACE,
    }
  },
})
