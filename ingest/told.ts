// What a client is told of an error. The adapters' own words name settings and hosts: they are for the
// log and for /readyz.
import type { ClickledgerError } from '#schemas/errors.ts'

/** The detail of a problem. */
export const toldOf = ({ code, message }: ClickledgerError): string =>
  code === 'unavailable' ? 'The catalogue does not answer.' : message
