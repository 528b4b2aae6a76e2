import test, { type TestFn } from 'ava'
import { openDruid } from '../../tests/support/druid.ts'
import { stackSettings } from '../../tests/support/stack.ts'
import { testSqlGateway } from './testing/suite.ts'

testSqlGateway(test.serial as TestFn, 'druid', (t) => openDruid(t, stackSettings(t)))
