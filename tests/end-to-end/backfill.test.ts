import test from 'ava'
import { embedded } from '../support/stacks.ts'
import { testBackfill } from './backfill.ts'

testBackfill(test, embedded)
