// The object store on S3. Whoever sends "make it if it is absent" twice, because the first answer
// was lost, is refused by its own object: each such object therefore carries a mark of its writer.
import { createHash, randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { extname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  type GetObjectCommandInput,
  type GetObjectCommandOutput,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { ClickledgerError } from '#schemas/errors.ts'
import type { Settings } from '../config.ts'
import { backoffMs, pause } from '../wait.ts'
import { checkObjectKey, objectPrefix } from './key.ts'
import { type LocalCache, openLocalCache } from './local-cache.ts'
import type { LocalFile, ObjectInfo, ObjectStore } from './port.ts'
import { createS3Client } from './s3-client.ts'
import { failureOf, isMissing, openError, storeError } from './s3-errors.ts'
import { createUploads, partBytes } from './s3-uploads.ts'

/** Metadata that says which call of putIfAbsent made an object. */
const writerMark = 'clickledger-writer'
const conflictsMax = 20
/** The client repeats a request, but not one whose answer broke off. */
const readsMax = 3
/** An object replaced while it is being copied is copied anew. */
const replacedMax = 5
const firstAnswerMs = 5_000

/**
 * Opens the bucket of the settings.
 * @throws ClickledgerError `invalid-settings`, or `unavailable` where no server answers; each names
 *   the setting
 */
export async function openS3Store({ settings }: { settings: Settings }): Promise<ObjectStore> {
  const client = createS3Client(settings)
  const bucket = settings.CLICKLEDGER_S3_BUCKET
  const prefix = objectPrefix(settings)
  try {
    // Not HeadBucket: its refusals have no body that would say why.
    await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, MaxKeys: 1 }), {
      requestTimeout: firstAnswerMs,
    })
  } catch (error) {
    client.destroy()
    const endpoint = settings.CLICKLEDGER_S3_ENDPOINT || 'AWS'
    throw openError(error, { bucket, endpoint, region: settings.CLICKLEDGER_S3_REGION })
  }
  return createStore({
    client,
    bucket,
    prefix,
    openCache: () =>
      openLocalCache({
        dir: join(settings.CLICKLEDGER_DATA_DIR, 'scratch', 'objects'),
        bytesMax: settings.CLICKLEDGER_OBJECT_CACHE_BYTES,
      }),
  })
}

interface StoreParts {
  readonly client: S3Client
  readonly bucket: string
  /** Put before every key. */
  readonly prefix: string
  openCache(): Promise<LocalCache>
}

function createStore({ client, bucket, prefix, openCache }: StoreParts): ObjectStore {
  const uploads = createUploads(client, bucket, prefix)
  let cache: Promise<LocalCache> | undefined

  const at = (key: string) => {
    checkObjectKey(key)
    return { Bucket: bucket, Key: `${prefix}${key}` }
  }

  const head = async (key: string): Promise<HeadObjectCommandOutput | undefined> =>
    unlessMissing(client.send(new HeadObjectCommand(at(key))))

  /** Gets an object and reads its body; a body that breaks off is asked for again. */
  const read = async <T>(
    input: GetObjectCommandInput,
    consume: (response: GetObjectCommandOutput) => Promise<T>,
  ): Promise<T> => {
    for (let attempt = 1; ; attempt++) {
      const response = await client.send(new GetObjectCommand(input))
      try {
        return await consume(response)
      } catch (error) {
        if (attempt === readsMax) throw error
        await pause(backoffMs(attempt))
      }
    }
  }

  const copyTo = async (path: string, key: string, etag: string, bytes: number): Promise<void> =>
    read({ ...at(key), IfMatch: etag }, async ({ Body }) => {
      await pipeline(Body as Readable, createWriteStream(path))
      const { size } = await stat(path)
      if (size !== bytes) throw new Error(`"${key}" has ${bytes} bytes, ${size} came`)
    })

  return {
    put: (key, content) =>
      doing(`put "${key}"`, () => put(client, uploads.upload, at(key), content)),
    putIfAbsent: (key, content) =>
      doing(`put "${key}"`, () => putIfAbsent(client, at(key), content, () => head(key))),
    get: (key) => doing(`get "${key}"`, () => unlessMissing(read(at(key), bytesOf))),
    getRange: (key, start, end) =>
      doing(`get "${key}"`, async () => {
        if (end <= start) return (await head(key)) && Buffer.alloc(0)
        const range = { ...at(key), Range: `bytes=${start}-${end - 1}` }
        return unlessMissing(read(range, bytesOf)).catch((error) => {
          if (failureOf(error).status === 416) return Buffer.alloc(0) // it ends before `start`
          throw error
        })
      }),
    list: (keyPrefix, startAfter) => listAll(client, bucket, prefix, keyPrefix, startAfter),
    remove: (key) =>
      doing(`remove "${key}"`, async () => {
        await client.send(new DeleteObjectCommand(at(key)))
      }),
    localPath: (key) =>
      doing(`copy "${key}"`, async () => {
        cache ??= openCache()
        for (let attempt = 1; ; attempt++) {
          const { ETag: etag, ContentLength: bytes = 0 } = (await head(key)) ?? {}
          if (!etag) {
            throw new ClickledgerError('archive-gap', `no object "${key}" in the object store`)
          }
          try {
            return await (await cache).path({
              name: cacheName(bucket, prefix + key, etag),
              bytes,
              fetch: (path) => copyTo(path, key, etag, bytes),
            })
          } catch (error) {
            const wasReplaced = isMissing(error) || failureOf(error).status === 412
            if (!wasReplaced || attempt === replacedMax) throw error
          }
        }
      }),
    async close() {
      await uploads.close()
      await (await cache)?.close()
      client.destroy()
    },
  }
}

const bytesOf = async ({ Body }: GetObjectCommandOutput): Promise<Buffer> =>
  Buffer.from((await Body?.transformToByteArray()) ?? [])

async function doing<T>(action: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw storeError(action, error)
  }
}

const unlessMissing = <T>(work: Promise<T>): Promise<T | undefined> =>
  work.catch((error) => {
    if (isMissing(error)) return undefined
    throw error
  })

/** The extension stays: engines tell formats by it. */
function cacheName(bucket: string, objectKey: string, etag: string): string {
  const hash = createHash('sha256').update(`${bucket}\n${objectKey}\n${etag}`).digest('hex')
  const extension = extname(objectKey)
  return /^\.\w{1,16}$/.test(extension) ? `${hash}${extension}` : hash
}

type Place = { readonly Bucket: string; readonly Key: string }

async function put(
  client: S3Client,
  upload: (objectKey: string, path: string, bytes: number) => Promise<void>,
  place: Place,
  content: Uint8Array | LocalFile,
): Promise<void> {
  if (!(content instanceof Uint8Array)) {
    const { size } = await stat(content.path)
    if (size > partBytes) return upload(place.Key, content.path, size)
  }
  const Body = content instanceof Uint8Array ? content : await readFile(content.path)
  await client.send(new PutObjectCommand({ ...place, Body, ChecksumAlgorithm: 'CRC32' }))
}

async function putIfAbsent(
  client: S3Client,
  place: Place,
  Body: Uint8Array,
  head: () => Promise<HeadObjectCommandOutput | undefined>,
): Promise<boolean> {
  const mark = randomUUID()
  const Metadata = { [writerMark]: mark }
  for (let conflicts = 1; ; conflicts++) {
    try {
      await client.send(
        new PutObjectCommand({
          ...place,
          ...{ Body, Metadata, IfNoneMatch: '*', ChecksumAlgorithm: 'CRC32' },
        }),
      )
      return true
    } catch (error) {
      const { status } = failureOf(error)
      if (status !== 412 && status !== 409) throw error
      // 412: it is there, perhaps by an attempt of ours whose answer was lost. 409: another is
      // just making it, or one that was there is just going: who has won is not known yet.
      const found = await head()
      if (found) return found.Metadata?.[writerMark] === mark
      if (conflicts === conflictsMax) throw error
      await pause(backoffMs(conflicts, 500))
    }
  }
}

async function* listAll(
  client: S3Client,
  Bucket: string,
  prefix: string,
  keyPrefix: string,
  startAfter: string | undefined,
): AsyncIterable<ObjectInfo> {
  let ContinuationToken: string | undefined
  do {
    const page = await doing(`list "${keyPrefix}"`, () =>
      client.send(
        new ListObjectsV2Command({
          Bucket,
          Prefix: prefix + keyPrefix,
          ...(startAfter && { StartAfter: prefix + startAfter }),
          ContinuationToken,
        }),
      ),
    )
    for (const { Key = '', Size = 0 } of page.Contents ?? []) {
      yield { key: Key.slice(prefix.length), bytes: Size }
    }
    ContinuationToken = page.NextContinuationToken
  } while (ContinuationToken)
}
