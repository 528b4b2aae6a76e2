// clicks.raw as another implementation of Avro reads it: every field equal, whatever is in it.
import test from 'ava'
import fc from 'fast-check'
import { encodeRawClick } from '#schemas/avro.ts'
import type { RawClick } from '#schemas/fields.ts'
import { limits } from '#schemas/limits.ts'
import { cleanText } from '../ingest/text.ts'
import { seed } from '../tests/support/random-clicks.ts'
import { openPython } from './python.ts'
import { oddClicks, parseLines, schemaDir } from './support.ts'

/** Halves of surrogate pairs among characters. */
const brokenUnit = fc.constantFrom('a', 'é', '👍', '\ud800', '\udfff')

/** Each record after its length, 4 bytes. */
function lengthPrefixed(records: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    records.flatMap((record) => {
      const length = Buffer.alloc(4)
      length.writeUInt32BE(record.length)
      return [length, record]
    }),
  )
}

test('fastavro reads every field of every click', async (t) => {
  t.log(`seed ${seed}`)
  const python = await openPython()
  const clicks = oddClicks({ count: 2_000, seed })
  const input = lengthPrefixed(clicks.map(encodeRawClick))
  const read = parseLines<RawClick>(await python.run('read_clicks.py', [schemaDir], { input }))
  t.deepEqual(read, clicks)
})

test('texts that are no Unicode come through the door of ingest as some that are', async (t) => {
  const python = await openPython()
  const broken = fc.sample(fc.string({ unit: brokenUnit, maxLength: 20 }), { numRuns: 200, seed })
  const clicks = oddClicks({ count: broken.length, seed }).map((click, i) => ({
    ...click,
    user_agent: cleanText(broken[i] ?? '', limits.userAgentCharsMax),
    // Cut in the middle of a pair: half of it is no character.
    referrer_url: cleanText('👍'.repeat(limits.referrerCharsMax), limits.referrerCharsMax - 1),
  }))
  t.true(broken.some((text) => !text.isWellFormed()))
  const input = lengthPrefixed(clicks.map(encodeRawClick))
  const read = parseLines<RawClick>(await python.run('read_clicks.py', [schemaDir], { input }))
  t.deepEqual(read, clicks)
})
