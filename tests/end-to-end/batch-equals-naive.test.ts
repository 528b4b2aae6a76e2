import test from 'ava'
import { embedded } from '../support/stacks.ts'
import { testBatchEqualsNaive } from './batch-equals-naive.ts'

testBatchEqualsNaive(test, embedded)
