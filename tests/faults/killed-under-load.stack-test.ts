import test from 'ava'
import { real } from '../support/stacks.ts'
import { testKilledUnderLoad } from './killed-under-load.ts'

testKilledUnderLoad(test, real)
