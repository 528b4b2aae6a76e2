import test from 'ava'
import { real } from '../support/stacks.ts'
import { testLayersAsProcesses } from './layers-as-processes.ts'

testLayersAsProcesses(test, real)
