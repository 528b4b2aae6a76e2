import test from 'ava'
import { scratchDir } from '../../tests/support/contract.ts'
import { testEventLogContract } from './contract.ts'
import { openSqliteEventLog } from './sqlite.ts'

testEventLogContract(test, 'sqlite', {
  open: async (t) => {
    const dir = scratchDir(t)
    return () => openSqliteEventLog({ dir })
  },
})
