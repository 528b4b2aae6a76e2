import test from 'ava'
import { scratchDir } from '../../tests/support/contract.ts'
import { testObjectStoreContract } from './contract.ts'
import { openDirectoryStore } from './directory.ts'

testObjectStoreContract(test, 'directory', {
  open: (t) => openDirectoryStore({ dir: scratchDir(t) }),
})
