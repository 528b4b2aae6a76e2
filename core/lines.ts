// Chunks of bytes -> numbered lines, in bounded memory whatever comes: a line over the limit is not
// kept, only reported. Cut by bytes, decoded by line: a chunk may end inside a character.

export const lineBytesMax = 64 * 1024
const newline = 10
const carriageReturn = 13

export interface Line {
  /** From 1. */
  readonly number: number
  readonly text: string
  /** The line was longer than `lineBytesMax`; `text` is its beginning. */
  readonly tooLong: boolean
}

/** Cuts chunks of bytes into lines; keeps at most `lineBytesMax` of an unfinished one. */
export function createLineSplitter() {
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
