import test from 'ava'
import { stackSettings } from '../../tests/support/stack.ts'
import { testObjectStoreContract } from './contract.ts'
import { openS3Store } from './s3.ts'

testObjectStoreContract(test, 's3', {
  async open(t) {
    const store = await openS3Store({ settings: stackSettings(t) })
    t.teardown(() => store.close())
    return store
  },
})
