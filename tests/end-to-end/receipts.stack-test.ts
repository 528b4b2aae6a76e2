import test from 'ava'
import { real } from '../support/stacks.ts'
import { testReceipts } from './receipts.ts'

testReceipts(test, real)
