import test from 'ava'
import { stackSettings } from '../../tests/support/stack.ts'
import { testCatalogueContract } from './contract.ts'
import { openPostgresCatalogue } from './postgres.ts'

testCatalogueContract(test, 'postgres', {
  open: async (t) => {
    const { CLICKLEDGER_POSTGRES_URL: url, CLICKLEDGER_NAMESPACE: namespace } = stackSettings(t)
    return () => openPostgresCatalogue({ url, namespace, poolMax: 4 })
  },
})
