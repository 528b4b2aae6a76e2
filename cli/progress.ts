// Progress of long work, on stderr so that results on stdout can be piped: a bar on a terminal, JSON
// lines otherwise. Remaining time comes from the share done so far: it is an estimate.

export interface Step {
  /** Of what `total` counts: bytes, hours, rows. */
  readonly done: number
  /** Undefined: nobody knows. */
  readonly total?: number | undefined
  /** What the rate counts, where that is not `done`: rows, while `done` is bytes. */
  readonly items?: number
  /** More figures to show. */
  readonly more?: Readonly<Record<string, number>>
}

export interface Progress {
  update(step: Step): void
  /** Shows the last state, whatever the time. */
  finish(): void
}

export interface ProgressOutput {
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
  write(text: string): unknown
}

const barEveryMs = 100
const jsonEveryMs = 1_000
const barChars = 24

const count = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })

/** `1:02:03`, `2:03`; `-` where nobody knows. */
export function formatSeconds(seconds: number | undefined): string {
  if (seconds === undefined || !Number.isFinite(seconds)) return '-'
  const whole = Math.round(seconds)
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  const two = (n: number) => String(n).padStart(2, '0')
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`
}

interface Figures extends Step {
  readonly elapsedSeconds: number
  readonly rate: number
  readonly remainingSeconds: number | undefined
}

function figuresOf(step: Step, elapsedSeconds: number): Figures {
  const { done, total, items = done } = step
  const share = total && done > 0 ? done / total : undefined
  return {
    ...step,
    elapsedSeconds,
    rate: elapsedSeconds > 0 ? items / elapsedSeconds : 0,
    remainingSeconds: share === undefined ? undefined : (elapsedSeconds * (1 - share)) / share,
  }
}

function barLine(label: string, unit: string, figures: Figures): string {
  const { done, total, items = done, rate, remainingSeconds, more = {} } = figures
  const share = total ? Math.min(1, done / total) : undefined
  const filled = Math.round((share ?? 0) * barChars)
  const bar = share === undefined ? '' : ` [${'#'.repeat(filled)}${'.'.repeat(barChars - filled)}]`
  const percent = share === undefined ? '' : ` ${String(Math.floor(share * 100)).padStart(3)}%`
  const left = share === undefined ? '' : `, ${formatSeconds(remainingSeconds)} left`
  const others = Object.entries(more).map(([name, n]) => `, ${count.format(n)} ${name}`)
  return `${label}${bar}${percent} ${count.format(items)} ${unit}, ${count.format(rate)}/s${left}${others.join('')}`
}

function jsonLine(label: string, unit: string, figures: Figures): string {
  const { done, total, items = done, rate, remainingSeconds, elapsedSeconds, more } = figures
  return JSON.stringify({
    progress: label,
    [unit]: items,
    ...(total ? { share: Math.round((done / total) * 1000) / 1000 } : {}),
    per_second: Math.round(rate),
    elapsed_seconds: Math.round(elapsedSeconds * 10) / 10,
    ...(remainingSeconds === undefined ? {} : { remaining_seconds: Math.round(remainingSeconds) }),
    ...more,
  })
}

/**
 * Starts to show the progress of one piece of work.
 * @param label - what is done: `import`
 * @param unit - what is counted: `rows`
 */
export function createProgress(
  label: string,
  unit: string,
  output: ProgressOutput = process.stderr,
  now: () => number = () => performance.now(),
): Progress {
  const started = now()
  const everyMs = output.isTTY ? barEveryMs : jsonEveryMs
  let shownAt = output.isTTY ? Number.NEGATIVE_INFINITY : started
  let last: Step | undefined

  const show = () => {
    if (!last) return
    const figures = figuresOf(last, (now() - started) / 1000)
    if (output.isTTY) {
      const line = barLine(label, unit, figures).slice(0, (output.columns ?? 80) - 1)
      output.write(`\r\u001b[K${line}`)
    } else output.write(`${jsonLine(label, unit, figures)}\n`)
    shownAt = now()
  }
  return {
    update(step) {
      last = step
      if (now() - shownAt >= everyMs) show()
    },
    finish() {
      show()
      if (last && output.isTTY) output.write('\n')
      last = undefined
    },
  }
}
