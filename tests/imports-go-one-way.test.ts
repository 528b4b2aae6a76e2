// The tree is the architecture: schemas <- core <- layers, platform <- layers, and no layer
// imports another. This test holds it.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const root = fileURLToPath(new URL('..', import.meta.url))
const layers = ['ingest', 'speed-layer', 'batch-layer', 'serving']
const shared = ['schemas', 'core', 'platform']

/** What the code of each folder may import from. `cli` wires the layers together. */
const allowed: Record<string, readonly string[]> = {
  schemas: ['schemas'],
  core: ['schemas', 'core'],
  platform: ['schemas', 'core', 'platform'],
  ...Object.fromEntries(layers.map((layer) => [layer, [...shared, layer]])),
  cli: [...shared, ...layers, 'cli', 'infra'],
}

const isTestCode = (path: string) =>
  /\.(stack-)?test\.ts$|\/contract\.ts$|\/testing\/|test-support/.test(path)

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((file) => join(folder, file))
    .filter((file) => file.endsWith('.ts') && !isTestCode(file))
}

function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8')
  const found = text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'|new URL\('([^']+\.ts)'/g)
  return [...found].map((match) => match[1] ?? match[2] ?? '')
}

function folderOf(file: string, specifier: string): string | undefined {
  if (specifier.startsWith('#')) return specifier.slice(1).split('/')[0]
  if (!specifier.startsWith('.')) return undefined
  return relative(root, resolve(root, dirname(file), specifier)).split('/')[0]
}

for (const [folder, mayUse] of Object.entries(allowed)) {
  test(`${folder} imports only from ${mayUse.join(', ')}`, (t) => {
    const wrong = sources(folder).flatMap((file) =>
      importsOf(file)
        .filter((specifier) => !mayUse.includes(folderOf(file, specifier) ?? folder))
        .map((specifier) => `${file} imports ${specifier}`),
    )
    t.deepEqual(wrong, [])
  })
}

test('core does no input or output and knows no clock', (t) => {
  const forbidden =
    /node:(fs|net|http|child_process|worker_threads|os|process)|process\.env|Date\.now\(/
  const wrong = sources('core').filter((file) =>
    forbidden.test(readFileSync(join(root, file), 'utf8')),
  )
  t.deepEqual(wrong, [])
})
