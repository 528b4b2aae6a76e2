// `npm run docs`: writes the pages that come from the code's own lists.
import { readFileSync, writeFileSync } from 'node:fs'
import { examplesOf } from './api/page.ts'
import { pages } from './reference.ts'

for (const [name, text] of Object.entries(pages)) {
  writeFileSync(new URL(name, import.meta.url), text)
}

// Before the description of the API is made: it shows them.
const examples = examplesOf(readFileSync(new URL('API.md', import.meta.url), 'utf8'))
writeFileSync(new URL('../serving/openapi/examples.json', import.meta.url), examples)
