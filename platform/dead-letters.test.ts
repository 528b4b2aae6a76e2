import test from 'ava'
import { scratchDir } from '../tests/support/contract.ts'
import { testDeadLetters } from './dead-letters-contract.ts'
import { openSqliteEventLog } from './event-log/sqlite.ts'

testDeadLetters(test, 'sqlite', (t) => openSqliteEventLog({ dir: scratchDir(t) }))
