import test from 'ava'
import { real } from '../support/stacks.ts'
import { testBackfillKilled } from './backfill-killed.ts'

testBackfillKilled(test, real)
