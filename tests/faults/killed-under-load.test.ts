import test from 'ava'
import { embedded } from '../support/stacks.ts'
import { testKilledUnderLoad } from './killed-under-load.ts'

testKilledUnderLoad(test, embedded)
