import test from 'ava'
import { embedded } from '../support/stacks.ts'
import { testRealClicksImported } from './real-clicks-imported.ts'

testRealClicksImported(test, embedded)
