// Makes the buckets named on the command line in the S3 server of the settings, where they are
// missing. May run any number of times, and before the server answers: it waits for a bounded time.
import { CreateBucketCommand, HeadBucketCommand, type S3Client } from '@aws-sdk/client-s3'
import { readSettings } from '#platform/config.ts'
import { createS3Client } from '#platform/object-store/s3-client.ts'
import { pause } from '#platform/wait.ts'

const triesMax = 30
const betweenMs = 2_000

/** @returns whether this call made it */
async function ensureBucket(s3: S3Client, bucket: string): Promise<boolean> {
  const found = await s3.send(new HeadBucketCommand({ Bucket: bucket })).then(
    () => true,
    (error) => {
      if (error?.$metadata?.httpStatusCode === 404) return false
      throw error
    },
  )
  if (!found) await s3.send(new CreateBucketCommand({ Bucket: bucket }))
  return !found
}

const isRefusal = (error: unknown): boolean => {
  const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode
  return status !== undefined && status < 500
}

async function ensureWithRetries(s3: S3Client, bucket: string): Promise<boolean> {
  for (let tried = 1; ; tried++) {
    try {
      return await ensureBucket(s3, bucket)
    } catch (error) {
      // A server that answers "no" will say so again; one that is not there yet may come.
      if (isRefusal(error) || tried === triesMax) throw error
      await pause(betweenMs)
    }
  }
}

const s3 = createS3Client(readSettings(process.env))
for (const bucket of process.argv.slice(2)) {
  const made = await ensureWithRetries(s3, bucket)
  process.stdout.write(`bucket ${bucket}: ${made ? 'made' : 'is there'}\n`)
}
s3.destroy()
