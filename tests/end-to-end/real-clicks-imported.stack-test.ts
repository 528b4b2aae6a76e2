import test from 'ava'
import { real } from '../support/stacks.ts'
import { testRealClicksImported } from './real-clicks-imported.ts'

testRealClicksImported(test, real)
