import test from 'ava'
import { stackSettings } from '../tests/support/stack.ts'
import { testDeadLetters } from './dead-letters-contract.ts'
import { openKafkaEventLog } from './event-log/kafka.ts'

testDeadLetters(test, 'kafka', (t) => openKafkaEventLog({ settings: stackSettings(t) }))
