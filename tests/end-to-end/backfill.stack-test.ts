import test from 'ava'
import { real } from '../support/stacks.ts'
import { testBackfill } from './backfill.ts'

testBackfill(test, real)
