import test from 'ava'
import { stackSettings } from '../../tests/support/stack.ts'
import { openKafkaEventLog } from '../event-log/kafka.ts'
import { testDeadLetters } from './contract.ts'

testDeadLetters(test, 'kafka', (t) => openKafkaEventLog({ settings: stackSettings(t) }))
