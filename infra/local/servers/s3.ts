// versitygw: an S3 server over plain files, DATA/bucket/key. What the file system cannot hold it
// cannot hold: no key may be another key followed by a slash.
import {
  BucketAlreadyOwnedByYou,
  CreateBucketCommand,
  ListBucketsCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { buckets, credentials, dataDirOf, portOf, type StackConfig } from '../state.ts'
import type { ServerPlan } from './plan.ts'

export const s3Region = 'us-east-1'

export function planS3(config: StackConfig): ServerPlan {
  const port = portOf(config, 's3')
  const dir = dataDirOf(config, 's3')
  const { user, password } = credentials
  return {
    command: [
      config.programs.versitygw ?? 'versitygw',
      ...['--port', `127.0.0.1:${port}`, '--region', s3Region, '--quiet', '--keep-alive'],
      ...['posix', dir],
    ],
    env: { ROOT_ACCESS_KEY: user, ROOT_SECRET_KEY: password },
    cwd: dir,
    stopTimeoutMs: 10_000,
    isReady: () =>
      withClient(port, async (client) => {
        await client.send(new ListBucketsCommand())
        return true
      }),
    provide: () =>
      withClient(port, async (client) => {
        for (const bucket of Object.values(buckets)) {
          await client.send(new CreateBucketCommand({ Bucket: bucket })).catch((error) => {
            if (!(error instanceof BucketAlreadyOwnedByYou)) throw error
          })
        }
      }),
  }
}

async function withClient<T>(port: number, work: (client: S3Client) => Promise<T>): Promise<T> {
  const client = new S3Client({
    ...{ endpoint: `http://127.0.0.1:${port}`, region: s3Region, forcePathStyle: true },
    credentials: { accessKeyId: credentials.user, secretAccessKey: credentials.password },
    ...{ maxAttempts: 1, requestHandler: { connectionTimeout: 1_000, requestTimeout: 5_000 } },
  })
  try {
    return await work(client)
  } finally {
    client.destroy()
  }
}
