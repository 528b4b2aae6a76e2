// `npm run docs`: writes the pages that come from the code's own lists.
import { writeFileSync } from 'node:fs'
import { pages } from './reference.ts'

for (const [name, text] of Object.entries(pages)) {
  writeFileSync(new URL(name, import.meta.url), text)
}
