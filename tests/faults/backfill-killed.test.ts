import test from 'ava'
import { embedded } from '../support/stacks.ts'
import { testBackfillKilled } from './backfill-killed.ts'

testBackfillKilled(test, embedded)
