import test, { type ExecutionContext, type TestFn } from 'ava'
import { openDruid } from '../../tests/support/druid.ts'
import { stackSettings } from '../../tests/support/stack.ts'
import { testOlapContract } from './contract.ts'
import { openDruidStore } from './druid.ts'

// One after the other: each takes task slots of Druid.
testOlapContract(test.serial as TestFn, 'druid', {
  open: async (t: ExecutionContext) => {
    const settings = stackSettings(t)
    const parts = await openDruid(t, settings)
    let { store } = parts
    return {
      ...parts,
      reopen: async () => {
        await store.close()
        store = await openDruidStore({ settings, ...parts })
        t.teardown(() => store.close())
        return store
      },
    }
  },
})
