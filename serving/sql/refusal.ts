// A statement that is not answered, with the reason. What is not understood is refused: nothing here
// lists what is forbidden.
import { ClickledgerError } from '#schemas/errors.ts'

const quoteCharsMax = 80

/** A piece of a user's text for a message. */
export const quoted = (text: string): string =>
  text.length > quoteCharsMax ? `${text.slice(0, quoteCharsMax)}...` : text

/** To be thrown. */
export const refusal = (reason: string): ClickledgerError =>
  new ClickledgerError('sql-refused', reason)
