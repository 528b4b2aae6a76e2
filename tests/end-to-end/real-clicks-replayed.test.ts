import test from 'ava'
import { embedded } from '../support/stacks.ts'
import { testRealClicksReplayed } from './real-clicks-replayed.ts'

testRealClicksReplayed(test, embedded)
