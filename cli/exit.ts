// Exit codes: 0 done, 1 failed, 2 wrong use. A WrongUse is the user's to correct in the command line
// or in a file named there; everything else that is thrown means that the work failed.
import { ClickledgerError } from '#schemas/errors.ts'

export const exitCodes = { done: 0, failed: 1, wrongUse: 2 } as const

export class WrongUse extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'WrongUse'
  }
}

/** The exit code that an error ends a command with. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof WrongUse) return exitCodes.wrongUse
  if (error instanceof ClickledgerError && error.code === 'invalid-settings') {
    return exitCodes.wrongUse
  }
  return exitCodes.failed
}

/** What the user reads about an error, causes included; no stack. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const code = error instanceof ClickledgerError ? ` [${error.code}]` : ''
  const cause = error.cause instanceof Error ? `\n  caused by: ${describeError(error.cause)}` : ''
  return `${error.message || error.name}${code}${cause}`
}
