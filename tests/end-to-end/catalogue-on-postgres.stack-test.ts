// The batch layer's SQL on PostgreSQL, everything else embedded: runs, plans, dirty hours, sealing.
import test from 'ava'
import { scratchDir } from '../support/contract.ts'
import { stackSettings } from '../support/stack.ts'
import { embedded } from '../support/stacks.ts'
import { testBatchEqualsNaive } from './batch-equals-naive.ts'

testBatchEqualsNaive(test, {
  ...embedded,
  name: 'embedded, catalogue in PostgreSQL',
  env: (t) => {
    const { CLICKLEDGER_POSTGRES_URL, CLICKLEDGER_NAMESPACE } = stackSettings(t)
    return {
      CLICKLEDGER_DATA_DIR: scratchDir(t),
      CLICKLEDGER_POSTGRES_URL,
      CLICKLEDGER_NAMESPACE,
    }
  },
})
