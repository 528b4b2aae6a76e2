// How a benchmark tells its result: every figure beside something measured in the same run.

export interface BenchResult {
  readonly name: string
  /** Shown in order; figures as text with their unit. */
  readonly figures: Readonly<Record<string, string>>
}

export function printResult({ name, figures }: BenchResult): void {
  console.log(`\n${name}`)
  for (const [label, value] of Object.entries(figures))
    console.log(`  ${label.padEnd(52)} ${value}`)
}

export const perSecond = (count: number, ms: number): string =>
  `${Math.round((count * 1000) / ms).toLocaleString('en')}/s`

/** The q-quantile (0..1) of numbers; NaN of none. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN
}

export const milliseconds = (ms: number): string => `${ms.toFixed(1)} ms`
export const ratio = (a: number, b: number): string => `${(a / b).toFixed(2)}x`
