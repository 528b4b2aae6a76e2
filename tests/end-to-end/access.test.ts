import test from 'ava'
import { embedded } from '../support/stacks.ts'
import { testAccess } from './access.ts'

testAccess(test, embedded)
