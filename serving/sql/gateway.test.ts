import test from 'ava'
import { openEmbedded } from './testing/embedded.ts'
import { testSqlGateway } from './testing/suite.ts'

testSqlGateway(test, 'embedded', openEmbedded)
