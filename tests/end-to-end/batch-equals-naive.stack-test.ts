import test from 'ava'
import { real } from '../support/stacks.ts'
import { testBatchEqualsNaive } from './batch-equals-naive.ts'

testBatchEqualsNaive(test, real)
