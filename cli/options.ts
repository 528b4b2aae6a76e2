// What commands share: the settings, the options that say which instance, signals, and output.
import { type Command, InvalidArgumentError, Option } from 'commander'
import { parseDuration } from '#core/duration.ts'
import { readSettings, type Settings } from '#platform/config.ts'
import type { SessionOptions } from './session.ts'

export interface InstanceOptions {
  readonly url?: string
  readonly key?: string
  readonly ingestUrl?: string
}

/** Adds --url and --key. */
export function withInstanceOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--url <url>',
        'serving URL of a running instance (default: CLICKLEDGER_URL, else the data directory)',
      ),
    )
    .addOption(new Option('--key <key>', 'API key for --url (default: CLICKLEDGER_KEY)'))
}

export function withIngestOption(command: Command): Command {
  return command.option(
    '--ingest-url <url>',
    'where ingest is (default: what the instance says)',
    parseUrl,
  )
}

/** @throws ClickledgerError `invalid-settings` with all faults */
export const currentSettings = (): Settings => readSettings(process.env)

/**
 * The settings of the local stack, with those of the environment over them.
 * @throws ClickledgerError `unavailable` where it does not run
 */
export async function localStackSettings(): Promise<Settings> {
  const { localStackEnv } = await import('../infra/local/stack.ts') // late: few need it
  return readSettings({ ...localStackEnv(), ...process.env })
}

export function sessionOptions(options: InstanceOptions, signal?: AbortSignal): SessionOptions {
  return { settings: currentSettings(), ...options, signal }
}

/** Aborts at the first SIGINT or SIGTERM; a second one ends the process at once. */
export function signalAbort(): AbortSignal {
  const controller = new AbortController()
  const abort = () => controller.abort(new Error('interrupted'))
  process.once('SIGINT', abort)
  process.once('SIGTERM', abort)
  return controller.signal
}

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  if (signal.aborted) resolve()
  else signal.addEventListener('abort', () => resolve(), { once: true })
  return promise
}

export const printJson = (value: unknown) =>
  process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`)
export const print = (text: string) => process.stdout.write(`${text}\n`)

export function parsePositive(text: string): number {
  const value = Number(text)
  if (!(value > 0) || !Number.isFinite(value)) {
    throw new InvalidArgumentError('it must be a number above 0')
  }
  return value
}

export function parseCount(text: string): number {
  const value = parsePositive(text)
  if (!Number.isSafeInteger(value)) throw new InvalidArgumentError('it must be a whole number')
  return value
}

export function parseUrl(text: string): string {
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) {
    throw new InvalidArgumentError('it must be an http or https URL')
  }
  return text
}

const units: Readonly<Record<string, number>> = {
  ...{ ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 },
}

/** `90s`, `5m`, `30d`, `PT5M`, or a number of seconds -> ms. */
export function parseDurationOption(text: string): number {
  const [, digits, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text) ?? []
  const value = digits === undefined ? parseDuration(text) : Number(digits) * (units[unit] ?? 0)
  if (!value) throw new InvalidArgumentError('it must be a duration such as 90s, 5m or PT5M')
  return value
}
