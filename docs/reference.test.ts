import { readFileSync } from 'node:fs'
import test from 'ava'
import { pages } from './reference.ts'

for (const [name, text] of Object.entries(pages)) {
  test(`docs/${name} says what the code says (else: npm run docs)`, (t) => {
    t.is(readFileSync(new URL(name, import.meta.url), 'utf8'), text)
  })
}
