// The S3 client with every limit named. A server that hangs is noticed by a silent socket, not by
// the length of a request: a large part over a slow line may take its time.
import { S3Client } from '@aws-sdk/client-s3'
import { ClickledgerError } from '#schemas/errors.ts'
import type { Settings } from '../config.ts'

/** A request is tried so often, with growing pauses. */
const attemptsMax = 3
const connectMs = 2_000
/** No byte in either direction for this long: the server hangs. Below 6 s the SDK is exact. */
const silenceMs = 5_000
const requestMs = 120_000
const socketsMax = 32

/** @throws ClickledgerError `invalid-settings` */
export function createS3Client(settings: Settings): S3Client {
  const {
    CLICKLEDGER_S3_ENDPOINT: endpoint,
    CLICKLEDGER_S3_ACCESS_KEY: accessKeyId,
    CLICKLEDGER_S3_SECRET_KEY: secretAccessKey,
  } = settings
  if (endpoint !== '' && !/^https?:$/.test(URL.parse(endpoint)?.protocol ?? '')) {
    throw new ClickledgerError(
      'invalid-settings',
      `CLICKLEDGER_S3_ENDPOINT: "${endpoint}" is not an http or https URL`,
    )
  }
  if ((accessKeyId === '') !== (secretAccessKey === '')) {
    throw new ClickledgerError(
      'invalid-settings',
      'CLICKLEDGER_S3_ACCESS_KEY and CLICKLEDGER_S3_SECRET_KEY: set both, or neither',
    )
  }
  return new S3Client({
    region: settings.CLICKLEDGER_S3_REGION,
    forcePathStyle: settings.CLICKLEDGER_S3_PATH_STYLE,
    ...(endpoint && { endpoint }),
    ...(accessKeyId && { credentials: { accessKeyId, secretAccessKey } }),
    maxAttempts: attemptsMax,
    retryMode: 'standard',
    requestHandler: {
      connectionTimeout: connectMs,
      socketTimeout: silenceMs,
      requestTimeout: requestMs,
      throwOnRequestTimeout: true,
      httpAgent: { keepAlive: true, maxSockets: socketsMax },
      httpsAgent: { keepAlive: true, maxSockets: socketsMax },
    },
  })
}
