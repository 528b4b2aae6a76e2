import test from 'ava'
import { scratchDir } from '../../tests/support/contract.ts'
import { openSqliteEventLog } from '../event-log/sqlite.ts'
import { testDeadLetters } from './contract.ts'

testDeadLetters(test, 'sqlite', (t) => openSqliteEventLog({ dir: scratchDir(t) }))
