// The wire format: what is published stays readable, and follows from the field table.
import test from 'ava'
import avro from 'avsc'
import fc from 'fast-check'
import { seed } from '../tests/support/random-clicks.ts'
import { decodeRawClick, encodeRawClick, publishedRawSchema } from './avro.ts'
import { currentRawSchema, rawSchemaIds, rawWriterId } from './avro-schema.ts'
import { compatibilityFaults } from './compatibility.ts'
import { type RawClick, rawFields } from './fields.ts'

const randomClick = fc.record(
  Object.fromEntries(
    rawFields.map((f) => [
      f.name,
      f.type === 'string' ? fc.string({ unit: 'binary', maxLength: 40 }) : fc.nat({ max: 2 ** 47 }),
    ]),
  ),
) as unknown as fc.Arbitrary<RawClick>

test('the newest published schema is what the field table says (else: add an id, npm run schema)', (t) => {
  t.deepEqual(publishedRawSchema(rawWriterId), JSON.parse(JSON.stringify(currentRawSchema())))
})

test('every published schema can be read by the next one', (t) => {
  for (const [i, id] of rawSchemaIds.entries()) {
    const next = rawSchemaIds[i + 1]
    if (next === undefined) break
    t.deepEqual(compatibilityFaults(publishedRawSchema(id), publishedRawSchema(next)), [])
  }
  t.deepEqual(compatibilityFaults(publishedRawSchema(rawWriterId), currentRawSchema()), [])
})

test('a change that is not backward compatible is refused', (t) => {
  const old = currentRawSchema() as { fields: { name: string; type: unknown; default?: unknown }[] }
  const change = (edit: (fields: typeof old.fields) => typeof old.fields) =>
    compatibilityFaults(
      old as avro.Schema,
      { ...old, fields: edit([...old.fields]) } as avro.Schema,
    )
  t.deepEqual(
    change((fields) => [...fields, { name: 'new', type: 'string', default: '' }]),
    [],
  )
  t.regex(change((fields) => [...fields, { name: 'new', type: 'string' }]).join(), /new.*default/)
  t.regex(change((fields) => fields.slice(1)).join(), /event_id.*removed/)
  t.regex(
    change((fields) =>
      fields.map((f) => (f.name === 'city' ? { ...f, type: 'int', default: 0 } : f)),
    ).join(),
    /city/,
  )
})

test('clicks survive the wire; any bytes are a click or a reason', (t) => {
  t.log(`seed ${seed}`)
  fc.assert(
    fc.property(randomClick, (click) => {
      const decoded = decodeRawClick(encodeRawClick(click))
      if (click.event_id === '') t.is(decoded.kind, 'reject')
      else if (decoded.kind === 'click') t.deepEqual({ ...decoded.click }, { ...click })
      else t.fail(decoded.reason)
    }),
    { seed, numRuns: 200 },
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, framed) => {
      const head = framed ? [0, 0, 0, 0, 1] : []
      t.true(
        ['click', 'reject'].includes(decodeRawClick(Uint8Array.from([...head, ...bytes])).kind),
      )
    }),
    { seed, numRuns: 500 },
  )
})

test('the framing is Confluent: magic 0, big-endian id, then plain Avro', (t) => {
  const click = Object.fromEntries(
    rawFields.map((f) => [f.name, f.type === 'string' ? f.name : 5]),
  ) as unknown as RawClick
  const bytes = encodeRawClick(click)
  t.is(bytes[0], 0)
  t.is(bytes.readUInt32BE(1), rawWriterId)
  const plain = avro.Type.forSchema(publishedRawSchema(rawWriterId)).fromBuffer(bytes.subarray(5))
  t.deepEqual({ ...plain }, { ...click })
})
