// `npm run docs`: writes the pages that come from the code's own lists.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { examplesOf } from './api/page.ts'
import { pages } from './reference.ts'

for (const [name, text] of Object.entries(pages)) {
  writeFileSync(new URL(name, import.meta.url), text)
}

// Before the description of the API is made: it shows them.
const examples = examplesOf(readFileSync(new URL('API.md', import.meta.url), 'utf8'))
const examplesFile = new URL('../serving/openapi/examples.json', import.meta.url)
writeFileSync(examplesFile, examples)

// After the examples: a description is read from them when its module is loaded.
const { describeServing } = await import('../serving/openapi/document.ts')
const { clientOperations } = await import('../serving/client/generate.ts')
const operations = new URL('../serving/client/operations.ts', import.meta.url)
writeFileSync(operations, clientOperations(await describeServing()))
const made = [examplesFile, operations].map((file) => fileURLToPath(file))
execFileSync('biome', ['format', '--write', ...made], { stdio: 'ignore' })
