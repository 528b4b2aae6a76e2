// What an S3 server's refusals mean. An SDK error carries the access key and the signed text: none
// of it is passed on but its name and its message.
import { ClickledgerError } from '#schemas/errors.ts'

interface S3Failure {
  readonly name: string
  readonly message: string
  readonly status: number | undefined
}

/** Name, message and HTTP status of anything thrown; a refused connection hides in an aggregate. */
export function failureOf(error: unknown): S3Failure {
  const e = error as {
    name?: string
    Code?: string
    code?: string
    message?: string
    errors?: { message?: string }[]
    $metadata?: { httpStatusCode?: number }
  }
  const name = e?.Code ?? (e?.name && e.name !== 'Error' ? e.name : undefined) ?? e?.code
  const message = e?.message || e?.errors?.[0]?.message || String(error)
  return { name: name ?? 'Error', message, status: e?.$metadata?.httpStatusCode }
}

export const isMissing = (error: unknown): boolean => {
  const { name, status } = failureOf(error)
  return name === 'NoSuchKey' || name === 'NotFound' || (status === 404 && name !== 'NoSuchBucket')
}

/** A failure after the start: what was tried, and why it failed. */
export function storeError(action: string, error: unknown): ClickledgerError {
  if (error instanceof ClickledgerError) return error
  const { name, message } = failureOf(error)
  return new ClickledgerError(
    'unavailable',
    `the object store failed to ${action}: ${name}: ${message}`,
  )
}

/** Servers that are not AWS have their own words for a key that they don't know. */
const wrongKey = /AccessKey|UserNotFound|Credential|InvalidToken|ExpiredToken/
const wrongSecrets = ['SignatureDoesNotMatch']
const wrongRegions = [
  'PermanentRedirect',
  'AuthorizationHeaderMalformed',
  'IncorrectRegion',
  'IllegalLocationConstraintException',
]

/** The first request failed: which setting is wrong, and what to do. */
export function openError(
  error: unknown,
  { bucket, endpoint, region }: { bucket: string; endpoint: string; region: string },
): ClickledgerError {
  const { name, message, status } = failureOf(error)
  const wrong = (setting: string, what: string) =>
    new ClickledgerError('invalid-settings', `${setting}: ${what} (${name}: ${message})`)
  if (name === 'NoSuchBucket' || name === 'InvalidBucketName') {
    return wrong(
      'CLICKLEDGER_S3_BUCKET',
      `there is no bucket "${bucket}" at ${endpoint}; make it, or name another`,
    )
  }
  if (wrongRegions.includes(name) || status === 301) {
    return wrong(
      'CLICKLEDGER_S3_REGION',
      `the bucket "${bucket}" is not in "${region}"; name its region`,
    )
  }
  if (wrongKey.test(name)) {
    return wrong('CLICKLEDGER_S3_ACCESS_KEY', 'the server does not know the access key; correct it')
  }
  if (wrongSecrets.includes(name)) {
    return wrong(
      'CLICKLEDGER_S3_SECRET_KEY',
      'the secret key does not belong to the access key; correct it',
    )
  }
  if (status === 401 || status === 403) {
    return wrong(
      'CLICKLEDGER_S3_ACCESS_KEY',
      `the access key may not use the bucket "${bucket}"; allow it to list, read, write and delete`,
    )
  }
  if (status !== undefined && status >= 300 && status < 500) {
    return wrong('CLICKLEDGER_S3_ENDPOINT', `${endpoint} does not answer as an S3 server`)
  }
  return new ClickledgerError(
    'unavailable',
    `CLICKLEDGER_S3_ENDPOINT: no S3 server answers at ${endpoint}; start it, or correct the URL (${name}: ${message})`,
  )
}
