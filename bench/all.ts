// `npm run bench`: every benchmark, one after the other, each in a process of its own, so that its
// memory is its own and nothing that another left behind slows it down. Writes nothing that stays.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { parseArgs } from 'node:util'

/** Files of this folder with the sizes they get: all together in less than ten minutes. */
const benchmarks = {
  ingest: [],
  'speed-layer': [500_000, 10_000_000],
  rebuild: [24, 500_000],
  publish: [10, 100_000],
  freshness: [100, 200],
  query: [10_000_000, 24, 15],
  year: [2_000_000, 15],
  reports: [10_000_000, 24, 40, 1_000, 5_000],
  'sql-rewrite': [500],
} as const satisfies Record<string, readonly number[]>

type Name = keyof typeof benchmarks
const names = Object.keys(benchmarks) as Name[]
const isName = (text: string): text is Name => Object.hasOwn(benchmarks, text)

/** Runs one; its output goes to this process's. @returns its exit code */
async function run(name: Name): Promise<number> {
  const file = new URL(`./${name}.ts`, import.meta.url).pathname
  const sizes = benchmarks[name].map(String)
  // --expose-gc: where memory over time is shown, garbage should not be.
  const child = spawn(process.execPath, ['--expose-gc', file, ...sizes], { stdio: 'inherit' })
  const [code] = await once(child, 'exit')
  return typeof code === 'number' ? code : 1
}

const { values } = parseArgs({ options: { only: { type: 'string', multiple: true } } })
const wanted = values.only ?? names
const unknown = wanted.filter((name) => !isName(name))
if (unknown.length > 0) {
  console.error(`no such benchmark: ${unknown.join(', ')}; there are ${names.join(', ')}`)
  process.exit(2)
}
const failed: string[] = []
for (const name of wanted.filter(isName)) {
  if ((await run(name)) !== 0) failed.push(name)
}
if (failed.length > 0) {
  console.error(`\nfailed: ${failed.join(', ')}`)
  process.exitCode = 1
}
