// Large files in parts. An upload that fails stays on the server, invisible and paid for, until it
// is aborted: what could not be aborted at once is tried again, and what a dead process left is
// swept by the next one that uploads.
import { createReadStream } from 'node:fs'
import {
  AbortMultipartUploadCommand,
  ListMultipartUploadsCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { isMissing } from './s3-errors.ts'

/** Files above this go in parts; each part in flight is in memory. */
export const partBytes = 16 * 1024 * 1024
const partsAtOnce = 4
const partsMax = 10_000
/** No upload takes as long: one that began before is nobody's any more. */
const abandonedMs = 24 * 3_600_000
const abandonedMax = 1_000

interface Abandoned {
  readonly Key: string
  readonly UploadId: string
}

export interface Uploads {
  /** @param objectKey - with the namespace */
  upload(objectKey: string, path: string, bytes: number): Promise<void>
  /** Waits for what goes on in the background. */
  close(): Promise<void>
}

/** @param prefix - uploads of other namespaces are left alone */
export function createUploads(client: S3Client, Bucket: string, prefix: string): Uploads {
  const abandoned: Abandoned[] = []
  let clearing: Promise<void> | undefined
  let isSwept = false

  const abortAbandoned = async (): Promise<void> => {
    for (let left = abandoned.length; left > 0; left--) {
      const upload = abandoned.shift()
      if (!upload) return
      try {
        await client.send(new AbortMultipartUploadCommand({ Bucket, ...upload }))
      } catch (error) {
        if (isMissing(error) || (error as Error).name === 'NoSuchUpload') continue
        abandoned.unshift(upload)
        return // the server is away: with the next upload
      }
    }
  }

  const sweep = async (): Promise<void> => {
    if (isSwept) return
    isSwept = true // a server that does not let us look has its own rule for this
    const listed = await client.send(new ListMultipartUploadsCommand({ Bucket, Prefix: prefix }))
    for (const { Key, UploadId, Initiated } of listed.Uploads ?? []) {
      const isOld = Initiated !== undefined && Date.now() - Initiated.getTime() > abandonedMs
      if (Key && UploadId && isOld) abandoned.push({ Key, UploadId })
    }
  }

  /** Never awaited by an upload: it is housekeeping. */
  const clear = (): void => {
    clearing ??= sweep()
      .catch(() => {})
      .then(abortAbandoned)
      .finally(() => {
        clearing = undefined
      })
  }

  return {
    async upload(Key, path, bytes) {
      const upload = new Upload({
        client,
        params: { Bucket, Key, Body: createReadStream(path), ChecksumAlgorithm: 'CRC32' },
        partSize: Math.max(partBytes, Math.ceil(bytes / partsMax)),
        queueSize: partsAtOnce,
        leavePartsOnError: true, // aborted below, without making the caller wait for a dead server
      })
      try {
        await upload.done()
      } catch (error) {
        const { uploadId: UploadId } = upload
        if (UploadId && abandoned.length < abandonedMax) abandoned.push({ Key, UploadId })
        throw error
      } finally {
        clear()
      }
    },
    async close() {
      await clearing
    },
  }
}
