import test from 'ava'
import { real } from '../support/stacks.ts'
import { testRealClicksReplayed } from './real-clicks-replayed.ts'

testRealClicksReplayed(test, real)
