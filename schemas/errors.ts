// Every error code a client or an operator can meet, defined once. docs/ERRORS.md lists the same
// codes (a test compares); problem+json answers and thrown ClickledgerErrors take theirs from here.

export interface ErrorSpec {
  readonly status: number
  readonly retryable: boolean
  readonly title: string
  readonly fix: string
}

export const errors = {
  'bad-request': {
    status: 400,
    retryable: false,
    title: 'The request is malformed.',
    fix: 'See `detail` for the field and what it should be.',
  },
  unauthorized: {
    status: 401,
    retryable: false,
    title: 'No valid API key or token.',
    fix: 'Send `Authorization: Bearer <key>`, or the key as the password of HTTP Basic. Make a key with `clickledger keys create`.',
  },
  forbidden: {
    status: 403,
    retryable: false,
    title: 'This key may not do that.',
    fix: 'Use a key with the role named in `detail`.',
  },
  'not-found': {
    status: 404,
    retryable: false,
    title: 'No such thing, or it is not yours.',
    fix: 'Check the id and the path; /openapi.json lists the paths.',
  },
  'method-not-allowed': {
    status: 405,
    retryable: false,
    title: 'The path exists, but not with this method.',
    fix: 'See the `allow` header.',
  },
  'precondition-failed': {
    status: 412,
    retryable: false,
    title: 'It has been changed since you read it.',
    fix: 'Read it again, look at what changed, and send the new `etag` as `If-Match`.',
  },
  'precondition-required': {
    status: 428,
    retryable: false,
    title: 'This would overwrite something that you may not have seen.',
    fix: 'Send the `etag` of your last GET as `If-Match`, or `If-None-Match: *` to create only.',
  },
  'key-state': {
    status: 409,
    retryable: false,
    title: 'The API key is not in a state that allows this.',
    fix: '`detail` says in which state it is and what is possible.',
  },
  'payload-too-large': {
    status: 413,
    retryable: false,
    title: 'The body or the batch is over its limit.',
    fix: 'Send smaller batches; `detail` names the limit.',
  },
  'uri-too-long': {
    status: 414,
    retryable: false,
    title: 'The URL is over its limit.',
    fix: 'Shorten the query; POST /track/click_event takes larger clicks.',
  },
  'unsupported-media-type': {
    status: 415,
    retryable: false,
    title: 'The body is not JSON.',
    fix: 'Send `content-type: application/json`.',
  },
  'too-many-requests': {
    status: 429,
    retryable: true,
    title: 'Over the rate limit.',
    fix: 'Wait for the seconds in the `retry-after` header.',
  },
  internal: {
    status: 500,
    retryable: true,
    title: 'A fault on our side.',
    fix: 'Try again; report the request id if it stays.',
  },
  'not-accepted': {
    status: 503,
    retryable: true,
    title: 'The click could not be made durable, so it was not accepted.',
    fix: 'Send it again with the same event_id. Operators: see the write-ahead log metrics.',
  },
  unavailable: {
    status: 503,
    retryable: true,
    title: 'A store that the answer needs is not available.',
    fix: 'Wait for the seconds in the `retry-after` header.',
  },
  'query-too-large': {
    status: 422,
    retryable: false,
    title: 'The query would return too much.',
    fix: 'Narrow the time range, choose a coarser granularity, or ask for fewer dimensions.',
  },
  'client-gone': {
    status: 499,
    retryable: true,
    title: 'The client went away before the answer.',
    fix: 'Nothing: the query was stopped. Only logs and metrics show this.',
  },
  'not-kept': {
    status: 422,
    retryable: false,
    title: 'The report needs rows that are no longer kept.',
    fix: 'Begin later, ask by a coarser granularity, or for whole hours or whole days of UTC. CLICKLEDGER_MINUTE_RETENTION and CLICKLEDGER_HOUR_RETENTION say how long rows by minute and by hour are kept.',
  },
  'cursor-expired': {
    status: 410,
    retryable: false,
    title: 'The answer that the cursor belongs to can no longer be continued.',
    fix: 'Begin again without `cursor`: published numbers have changed since, and pages of two answers would not add up.',
  },
  'sql-refused': {
    status: 400,
    retryable: false,
    title: 'The SQL statement is not answered.',
    fix: 'See `detail` for the reason; docs/BI.md lists what is answered.',
  },
  'query-timeout': {
    status: 504,
    retryable: true,
    title: 'The query ran out of time.',
    fix: 'Narrow the time range or choose a coarser granularity.',
  },
  'bad-target': {
    status: 400,
    retryable: false,
    title: 'The redirect target is not allowed.',
    fix: 'Use the target of the ad, or a URL signed for it: absolute, http or https.',
  },
  'unknown-ad': {
    status: 404,
    retryable: false,
    title: 'No ad with this id.',
    fix: 'Create it with `clickledger ads import`, or check ad_id.',
  },
  'ad-mismatch': {
    status: 400,
    retryable: false,
    title: 'campaign_id is not the campaign of this ad.',
    fix: 'Leave campaign_id out, or send the one of the ad.',
  },
  'ad-owner': {
    status: 409,
    retryable: false,
    title: 'The ad or the campaign belongs to another advertiser.',
    fix: 'Make a new ad: what was already counted is billed to the advertiser it was counted for.',
  },
  'event-too-old': {
    status: 400,
    retryable: false,
    title: 'timestamp_ms is more than 7 days ago.',
    fix: 'Import older clicks with `clickledger import`.',
  },
  'event-in-future': {
    status: 400,
    retryable: false,
    title: 'timestamp_ms is more than 5 minutes ahead.',
    fix: 'Check the clock of the sender; the unit is milliseconds.',
  },
  'invalid-rule-set': {
    status: 400,
    retryable: false,
    title: 'The rule set is not valid.',
    fix: 'See `detail` for the rule and the field.',
  },
  'invalid-settings': {
    status: 500,
    retryable: false,
    title: 'The settings are not valid.',
    fix: 'Correct every fault listed; docs/SETTINGS.md has all settings.',
  },
  'missing-program': {
    status: 500,
    retryable: false,
    title: 'A program that this needs is not installed.',
    fix: 'Install it; `detail` names it and what it is for.',
  },
  'incompatible-schema': {
    status: 409,
    retryable: false,
    title:
      'The schema registry does not take the schema of clicks.raw, or gives it an id that means another one.',
    fix: '`detail` names the subject and what to change in the registry.',
  },
  'already-running': {
    status: 409,
    retryable: false,
    title: 'Another instance uses this data directory.',
    fix: 'Stop it, or choose another CLICKLEDGER_DATA_DIR.',
  },
  fenced: {
    status: 409,
    retryable: false,
    title: 'A newer process has taken this work over.',
    fix: 'Nothing: the newer one continues. Start only one of them.',
  },
  'archive-gap': {
    status: 409,
    retryable: false,
    title: 'The archive misses offsets or files.',
    fix: '`detail` names them; restore the objects, or archive again from the log.',
  },
  'run-conflict': {
    status: 409,
    retryable: true,
    title: 'Another run holds these hours.',
    fix: 'Wait for it, or cancel it; `detail` names it.',
  },
  'run-state': {
    status: 409,
    retryable: false,
    title: 'The run is not in a state that allows this.',
    fix: '`detail` says in which state it is and what is possible.',
  },
  'spark-failed': {
    status: 500,
    retryable: true,
    title: 'Apache Spark did not finish staging a rebuild.',
    fix: '`detail` has what Spark said. Nothing was published; correct it and run the rebuild again.',
  },
  'wal-full': {
    status: 503,
    retryable: true,
    title: 'The write-ahead log is at its size limit.',
    fix: 'Bring the event log back, or raise CLICKLEDGER_WAL_BYTES_MAX.',
  },
  'wal-failed': {
    status: 503,
    retryable: true,
    title: 'The write-ahead log could not be written.',
    fix: 'Free disk space, or look at the disk; clicks are not accepted until it works.',
  },
} as const satisfies Record<string, ErrorSpec>

export type ErrorCode = keyof typeof errors

/** Whether a value that came from elsewhere is one of the codes. */
export const isErrorCode = (code: unknown): code is ErrorCode =>
  typeof code === 'string' && Object.hasOwn(errors, code)

/** A broken world (not a broken program): carries a code of the list above. */
export class ClickledgerError extends Error {
  readonly code: ErrorCode
  readonly retryable: boolean
  /** When to try again, where that is known better than "soon". */
  readonly retryAfterSeconds: number | undefined

  constructor(
    code: ErrorCode,
    detail?: string,
    cause?: unknown,
    more: { readonly retryAfterSeconds?: number } = {},
  ) {
    super(detail ?? errors[code].title, { cause })
    this.retryAfterSeconds = more.retryAfterSeconds
    this.name = 'ClickledgerError'
    this.code = code
    this.retryable = errors[code].retryable
  }
}

/** The body of an error answer (RFC 9457), the same for every HTTP surface. */
export function problem(code: ErrorCode, detail?: string, requestId?: string) {
  const { status, title, fix } = errors[code]
  return {
    type: `/errors/${code}`,
    title,
    status,
    code,
    detail: detail ?? title,
    fix,
    ...(requestId ? { request_id: requestId } : {}),
  }
}
