// The words of a verdict. Each click gets exactly one status, with the id of the rule that gave it.

export const statuses = ['valid', 'duplicate', 'invalid'] as const
export type Status = (typeof statuses)[number]

/** Marks that ingest can stamp; rules of kind `mark` refer to them. */
export const marks = {
  'blocked-ip': 'The address is on the block list.',
  'bot-user-agent': 'The user agent names a robot, or is missing.',
  prefetch: 'HEAD, a prefetch, or a link preview: nobody clicked.',
  'bad-signature': 'The signature is wrong, or missing where the advertiser demands one.',
  'expired-impression': 'The signature is right, but older than its expiry.',
} as const
export type Mark = keyof typeof marks

export function isMark(name: string): name is Mark {
  return Object.hasOwn(marks, name)
}

/** Canonical text of a set of marks: sorted, comma-separated, empty for none. */
export function joinMarks(set: Iterable<Mark>): string {
  return [...set].sort().join(',')
}
