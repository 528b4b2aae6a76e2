// A file -> blocks of numbered lines, in bounded memory whatever the file holds: a line over the limit
// is not kept, only reported. `.gz` files are unpacked on the way; `-` is standard input.
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { pipeline, Transform } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { createLineSplitter, type Line } from '#core/lines.ts'
import { WrongUse } from '../exit.ts'

const blockLinesMax = 1_000

export interface InputFile {
  readonly path: string
  /** Bytes on disk; undefined for standard input. */
  readonly bytes: number | undefined
  /** When it was last written, ms; now for standard input. */
  readonly modifiedAt: number
}

/** Looks at a file. @throws WrongUse where there is none */
export async function openInput(path: string): Promise<InputFile> {
  if (path === '-') return { path, bytes: undefined, modifiedAt: Date.now() }
  const found = await stat(path).catch((cause: unknown) => {
    throw new WrongUse(`cannot read ${path}`, cause)
  })
  if (!found.isFile()) throw new WrongUse(`${path} is not a file`)
  return { path, bytes: found.size, modifiedAt: Math.floor(found.mtimeMs) }
}

function openStream(input: InputFile, onBytes: (bytes: number) => void): AsyncIterable<Buffer> {
  const source =
    input.path === '-' ? process.stdin : createReadStream(input.path, { highWaterMark: 256 * 1024 })
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      onBytes(chunk.length)
      done(null, chunk)
    },
  })
  // The reader of the last stream sees every error; the callback is only there because it must be.
  if (!input.path.endsWith('.gz')) return pipeline(source, counter, () => {})
  return pipeline(source, counter, createGunzip(), () => {})
}

/**
 * Reads a file as blocks of at most 1,000 lines.
 * @param onBytes - called with the number of bytes read from the file each time
 */
export async function* readLines(
  input: InputFile,
  onBytes: (bytes: number) => void = () => {},
): AsyncGenerator<readonly Line[]> {
  const splitter = createLineSplitter()
  const blocks = function* (lines: readonly Line[]) {
    for (let i = 0; i < lines.length; i += blockLinesMax) yield lines.slice(i, i + blockLinesMax)
  }
  for await (const chunk of openStream(input, onBytes)) yield* blocks(splitter.split(chunk))
  yield* blocks(splitter.rest())
}
