import test from 'ava'
import { createProgress, formatSeconds } from './progress.ts'

function recorder(isTTY: boolean) {
  const written: string[] = []
  return { isTTY, columns: 100, written, write: (text: string) => written.push(text) }
}

test('JSON lines where no terminal is, at most one a second', (t) => {
  let now = 0
  const output = recorder(false)
  const progress = createProgress('import', 'rows', output, () => now)
  for (now = 0; now <= 2_500; now += 100) {
    progress.update({ done: now, total: 5_000, items: now * 2, more: { rejected: 1 } })
  }
  progress.finish()
  t.is(output.written.length, 3)
  t.deepEqual(JSON.parse(output.written[1] ?? ''), {
    progress: 'import',
    rows: 4_000,
    share: 0.4,
    per_second: 2_000,
    elapsed_seconds: 2,
    remaining_seconds: 3,
    rejected: 1,
  })
})

test('a bar on a terminal, never wider than it', (t) => {
  let now = 0
  const output = recorder(true)
  const progress = createProgress('import', 'rows', output, () => now)
  now = 1_000
  progress.update({ done: 250, total: 1_000, items: 1_234 })
  progress.finish()
  t.regex(output.written[0] ?? '', /import \[######\.{18}\] {2}25% 1,234 rows, 1,234\/s, 0:03 left/)
  t.is(output.written.at(-1), '\n')
})

test('times', (t) => {
  t.deepEqual([5, 65, 3_723, undefined].map(formatSeconds), ['0:05', '1:05', '1:02:03', '-'])
})
