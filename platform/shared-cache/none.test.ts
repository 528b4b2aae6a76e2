import test from 'ava'
import { testSharedCacheContract } from './contract.ts'
import { noSharedCache } from './none.ts'

testSharedCacheContract(test, 'none', { open: async () => noSharedCache, remembers: false })
