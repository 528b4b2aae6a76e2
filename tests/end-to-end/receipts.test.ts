import test from 'ava'
import { embedded } from '../support/stacks.ts'
import { testReceipts } from './receipts.ts'

testReceipts(test, embedded)
