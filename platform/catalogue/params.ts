// What a parameter may be, the same for every adapter.
import { ClickledgerError } from '#schemas/errors.ts'
import type { SqlValue } from './port.ts'

/**
 * Refuses what one database would keep and another refuse or round: U+0000 in a text (PostgreSQL
 * has none), and numbers that are not whole or not exact (no column holds such).
 * @throws ClickledgerError `bad-request`
 */
export function checkParams(params: readonly SqlValue[]): void {
  for (const value of params) {
    if (typeof value === 'string' && value.includes('\0')) {
      throw new ClickledgerError('bad-request', 'a text must not contain the character U+0000')
    }
    if (typeof value === 'number' && !Number.isSafeInteger(value)) {
      throw new ClickledgerError('bad-request', `${value} is not a whole number`)
    }
  }
}
