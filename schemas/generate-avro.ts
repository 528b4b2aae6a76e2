// Writes schemas/avro/clicks.raw.N.avsc from the field table, N being the newest id in schemas/avro-schema.ts.
// Refuses to overwrite: to change the wire format, add an id there and run `npm run schema` again.
import { existsSync, writeFileSync } from 'node:fs'
import { currentRawSchema, rawWriterId } from './avro-schema.ts'

const file = new URL(`./avro/clicks.raw.${rawWriterId}.avsc`, import.meta.url)
if (existsSync(file)) {
  console.error(`clicks.raw.${rawWriterId}.avsc is published and never changes. Add an id first.`)
  process.exit(1)
}
writeFileSync(file, `${JSON.stringify(currentRawSchema(), null, 2)}\n`)
