// Environment -> frozen typed values. All faults are reported at once, unknown names included.
import { statSync } from 'node:fs'
import { parseDuration } from '#core/duration.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { type Setting, type SettingName, settings } from '#schemas/settings.ts'
import { isNetwork } from './networks.ts'

interface ValueOf {
  string: string
  int: number
  boolean: boolean
  /** Milliseconds. */
  duration: number
  bytes: number
  list: readonly string[]
  networks: readonly string[]
}

export type Settings = {
  readonly [N in SettingName]: ValueOf[(typeof settings)[N]['type']]
}

const byteUnits: Record<string, number> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 }

function parseBytes(text: string): number | undefined {
  const match = /^(\d+)(B|KiB|MiB|GiB)?$/.exec(text)
  return match ? Number(match[1]) * (byteUnits[match[2] ?? 'B'] ?? 1) : undefined
}

const parseList = (text: string): string[] =>
  text
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')

const parsers: {
  [T in keyof ValueOf]: { parse(text: string): ValueOf[T] | undefined; form: string }
} = {
  string: { parse: (t) => t, form: 'a text' },
  int: { parse: (t) => (/^\d{1,15}$/.test(t) ? Number(t) : undefined), form: 'a whole number' },
  boolean: {
    parse: (t) => (t === 'true' ? true : t === 'false' ? false : undefined),
    form: 'true or false',
  },
  duration: { parse: parseDuration, form: 'an ISO 8601 duration such as PT10M' },
  bytes: { parse: parseBytes, form: 'a size such as 64MiB' },
  list: { parse: parseList, form: 'a comma-separated list' },
  networks: {
    parse: (t) => (parseList(t).every(isNetwork) ? parseList(t) : undefined),
    form: 'a comma-separated list of networks such as 10.0.0.0/8',
  },
}

function readOne(name: string, spec: Setting, text: string): { value?: unknown; fault?: string } {
  const { parse, form } = parsers[spec.type]
  const shown = spec.secret ? 'its value' : `"${text}"`
  const value = parse(text)
  if (value === undefined) return { fault: `${name}: ${shown} is not ${form}` }
  if (spec.choices && !spec.choices.includes(text)) {
    return { fault: `${name}: ${shown} is not one of ${spec.choices.join(', ')}` }
  }
  if (spec.min !== undefined && typeof value === 'number' && value < spec.min) {
    return { fault: `${name}: ${shown} is below the minimum of ${spec.min}` }
  }
  if (spec.max !== undefined && typeof value === 'number' && value > spec.max) {
    return { fault: `${name}: ${shown} is above the maximum of ${spec.max}` }
  }
  if (spec.bytesMin !== undefined && text !== '' && Buffer.byteLength(text) < spec.bytesMin) {
    return { fault: `${name}: ${shown} has fewer than ${spec.bytesMin} bytes` }
  }
  if (spec.pattern && !new RegExp(spec.pattern).test(text)) {
    return { fault: `${name}: ${shown} does not match ${spec.pattern}` }
  }
  if (spec.isFile && text !== '' && !isExistingFile(text)) {
    return { fault: `${name}: ${shown} is no file` }
  }
  return { value }
}

const isExistingFile = (path: string): boolean =>
  statSync(path, { throwIfNoEntry: false })?.isFile() ?? false

/**
 * Reads the settings from an environment.
 * @throws ClickledgerError `invalid-settings`, its message listing every fault.
 */
export function readSettings(env: Readonly<Record<string, string | undefined>>): Settings {
  const faults: string[] = []
  const values: Record<string, unknown> = {}
  for (const name of Object.keys(env)) {
    if (name.startsWith('CLICKLEDGER_') && !Object.hasOwn(settings, name)) {
      faults.push(`${name}: no such setting`)
    }
  }
  for (const [name, spec] of Object.entries(settings) as [SettingName, Setting][]) {
    const text = env[name]?.trim()
    const { value, fault } = readOne(name, spec, text ? text : spec.default)
    if (fault) faults.push(fault)
    values[name] = value
  }
  for (const [name, spec] of Object.entries(settings) as [SettingName, Setting][]) {
    if (!env[name]?.trim()) continue
    for (const other of spec.needs ?? []) {
      if (!env[other]?.trim()) faults.push(`${name}: needs ${other} to be set, too`)
    }
  }
  if (faults.length > 0) {
    throw new ClickledgerError(
      'invalid-settings',
      `The settings have ${faults.length} fault${faults.length > 1 ? 's' : ''}:\n${faults.map((f) => `  ${f}`).join('\n')}`,
    )
  }
  return Object.freeze(values) as Settings
}
