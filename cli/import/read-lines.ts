// A file -> blocks of numbered lines, in bounded memory whatever the file holds: a line over the limit
// is not kept, only reported. `.gz` files are unpacked on the way; `-` is standard input.
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { pipeline, Transform } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { WrongUse } from '../exit.ts'

export const lineBytesMax = 64 * 1024
const blockLinesMax = 1_000
const newline = 10
const carriageReturn = 13

export interface Line {
  /** From 1. */
  readonly number: number
  readonly text: string
  /** The line was longer than `lineBytesMax`; `text` is its beginning. */
  readonly tooLong: boolean
}

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

/** Cuts chunks of bytes into lines; keeps at most `lineBytesMax` of an unfinished one. */
function createSplitter() {
  let kept: Buffer[] = []
  let keptBytes = 0
  let tooLong = false
  let number = 0

  const keep = (part: Buffer) => {
    const room = lineBytesMax - keptBytes
    if (part.length > room) tooLong = true
    if (room <= 0 || part.length === 0) return
    const some = part.subarray(0, room)
    kept.push(some)
    keptBytes += some.length
  }
  const finish = (): Line => {
    let bytes = kept.length === 1 && kept[0] ? kept[0] : Buffer.concat(kept)
    if (bytes.at(-1) === carriageReturn) bytes = bytes.subarray(0, -1)
    number += 1
    const text = bytes.toString('utf8')
    const line = { number, text: number === 1 ? text.replace(/^\uFEFF/, '') : text, tooLong }
    kept = []
    keptBytes = 0
    tooLong = false
    return line
  }
  return {
    split(chunk: Buffer): Line[] {
      const lines: Line[] = []
      let from = 0
      for (;;) {
        const end = chunk.indexOf(newline, from)
        if (end < 0) break
        keep(chunk.subarray(from, end))
        lines.push(finish())
        from = end + 1
      }
      keep(chunk.subarray(from))
      return lines
    },
    rest: (): Line[] => (keptBytes > 0 || tooLong ? [finish()] : []),
  }
}

/**
 * Reads a file as blocks of at most 1,000 lines.
 * @param onBytes - called with the number of bytes read from the file each time
 */
export async function* readLines(
  input: InputFile,
  onBytes: (bytes: number) => void = () => {},
): AsyncGenerator<readonly Line[]> {
  const splitter = createSplitter()
  const blocks = function* (lines: readonly Line[]) {
    for (let i = 0; i < lines.length; i += blockLinesMax) yield lines.slice(i, i + blockLinesMax)
  }
  for await (const chunk of openStream(input, onBytes)) yield* blocks(splitter.split(chunk))
  yield* blocks(splitter.rest())
}
