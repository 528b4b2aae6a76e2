import { join } from 'node:path'
import test from 'ava'
import { scratchDir } from '../../tests/support/contract.ts'
import { testCatalogueContract } from './contract.ts'
import { openSqliteCatalogue } from './sqlite.ts'

testCatalogueContract(test, 'sqlite', {
  open: async (t) => {
    const path = join(scratchDir(t), 'catalogue.sqlite')
    return () => openSqliteCatalogue({ path })
  },
})
