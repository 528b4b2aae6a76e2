import test from 'ava'
import { embedded } from '../support/stacks.ts'
import { testLayersAsProcesses } from './layers-as-processes.ts'

testLayersAsProcesses(test, embedded)
