import test from 'ava'
import { stackSettings } from '../../tests/support/stack.ts'
import { testEventLogContract } from './contract.ts'
import { openKafkaEventLog } from './kafka.ts'

testEventLogContract(test, 'kafka', {
  open: async (t) => {
    const settings = stackSettings(t)
    return () => openKafkaEventLog({ settings })
  },
})
