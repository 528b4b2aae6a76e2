// A rule set is data. This file parses and describes it; three interpreters execute it, each
// tested against the naive definition: naive.ts (the meaning), streaming.ts (speed layer),
// set-based.ts (batch layer).
import { ClickledgerError } from '#schemas/errors.ts'
import { isMark, type Mark, type Status } from '#schemas/verdicts.ts'
import { parseDuration } from '../duration.ts'

/** Fields that a `repeat` rule may use as its key. The advertiser is always part of the key. */
export const keyFields = [
  'event_id',
  'ad_id',
  'campaign_id',
  'publisher_id',
  'impression_id',
  'visitor',
  'user_hash',
  'ip_hash',
  'ip_prefix',
] as const
export type KeyField = (typeof keyFields)[number]

export interface MarkRule {
  readonly id: string
  readonly kind: 'mark'
  readonly mark: Mark
  readonly status: Exclude<Status, 'valid'>
}

/** Caught: at least `after` earlier unmarked clicks have the same key less than `windowMs` before. */
export interface RepeatRule {
  readonly id: string
  readonly kind: 'repeat'
  readonly key: readonly KeyField[]
  readonly windowMs: number
  readonly after: number
  readonly status: Exclude<Status, 'valid'>
}

export type Rule = MarkRule | RepeatRule

export interface RuleSet {
  readonly version: number
  readonly rules: readonly Rule[]
}

export interface Verdict {
  readonly status: Status
  /** Empty where the click is valid. */
  readonly rule: string
}

export const validVerdict: Verdict = Object.freeze({ status: 'valid', rule: '' })

/** Copies of one event are found by this rule; it drops instead of judging. Widest window: a day. */
export const identityRule: RepeatRule = {
  id: 'copy',
  kind: 'repeat',
  key: ['event_id'],
  windowMs: 86_400_000,
  after: 1,
  status: 'duplicate',
}

const maxRules = 64
const maxWindowMs = 7 * 86_400_000
const maxAfter = 1_000

/** The rule set of a new installation, in the form that files, API and catalogue share. */
export const defaultRuleSetJson = {
  version: 1,
  rules: [
    { id: 'blocked-ip', kind: 'mark', mark: 'blocked-ip', status: 'invalid' },
    { id: 'bot-user-agent', kind: 'mark', mark: 'bot-user-agent', status: 'invalid' },
    { id: 'prefetch', kind: 'mark', mark: 'prefetch', status: 'invalid' },
    { id: 'bad-signature', kind: 'mark', mark: 'bad-signature', status: 'invalid' },
    { id: 'expired-impression', kind: 'mark', mark: 'expired-impression', status: 'invalid' },
    {
      id: 'repeat-impression',
      kind: 'repeat',
      key: ['impression_id'],
      window: 'PT24H',
      status: 'duplicate',
    },
    {
      id: 'double-click',
      kind: 'repeat',
      key: ['ad_id', 'visitor'],
      window: 'PT10S',
      status: 'duplicate',
    },
    {
      id: 'ip-velocity',
      kind: 'repeat',
      key: ['ad_id', 'ip_hash'],
      window: 'PT1M',
      after: 20,
      status: 'invalid',
    },
  ],
}

function fault(detail: string): never {
  throw new ClickledgerError('invalid-rule-set', detail)
}

function wholeNumber(value: unknown, where: string, min: number, max: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    fault(`${where} must be a whole number from ${min} to ${max}`)
  }
  return value
}

function refuseUnknown(object: Record<string, unknown>, known: readonly string[], where: string) {
  for (const name of Object.keys(object)) {
    if (!known.includes(name)) fault(`${where}: unknown field "${name}"`)
  }
}

function parseRepeat(
  rule: Record<string, unknown>,
  where: string,
): Omit<RepeatRule, 'id' | 'status'> {
  refuseUnknown(rule, ['id', 'kind', 'key', 'window', 'after', 'status'], where)
  const { key, window, after = 1 } = rule
  if (!Array.isArray(key) || key.length === 0) fault(`${where}.key must be a list of fields`)
  for (const field of key) {
    if (!keyFields.includes(field)) {
      fault(`${where}.key: "${field}" is not one of ${keyFields.join(', ')}`)
    }
  }
  if (new Set(key).size !== key.length) fault(`${where}.key names a field twice`)
  const windowMs = typeof window === 'string' ? parseDuration(window) : undefined
  if (windowMs === undefined || windowMs <= 0 || windowMs > maxWindowMs) {
    fault(`${where}.window must be an ISO 8601 duration up to P7D, such as PT10S`)
  }
  return { kind: 'repeat', key, windowMs, after: wholeNumber(after, `${where}.after`, 1, maxAfter) }
}

function parseRule(value: unknown, where: string): Rule {
  if (typeof value !== 'object' || value === null) fault(`${where} must be an object`)
  const rule = value as Record<string, unknown>
  const { id, kind, status, mark } = rule
  if (typeof id !== 'string' || !/^[a-z0-9][a-z0-9-]{0,62}$/.test(id) || id === identityRule.id) {
    fault(`${where}.id must be a name in lower case with dashes, other than "${identityRule.id}"`)
  }
  if (status !== 'duplicate' && status !== 'invalid') {
    fault(`${where}.status must be "duplicate" or "invalid"`)
  }
  if (kind === 'repeat') return { id, status, ...parseRepeat(rule, where) }
  if (kind !== 'mark') fault(`${where}.kind must be "mark" or "repeat"`)
  refuseUnknown(rule, ['id', 'kind', 'mark', 'status'], where)
  if (typeof mark !== 'string' || !isMark(mark)) fault(`${where}.mark is not a mark of ingest`)
  return { id, status, kind, mark }
}

/**
 * Parses a rule set from its JSON form.
 *
 * `mark` rules must come first: repeat rules look only at clicks that no mark rule caught, so the
 * name a marked click gets is always a mark's.
 * @throws ClickledgerError `invalid-rule-set` naming the rule and the field.
 */
export function parseRuleSet(value: unknown): RuleSet {
  if (typeof value !== 'object' || value === null) fault('a rule set is an object')
  const { version, rules } = value as Record<string, unknown>
  refuseUnknown(value as Record<string, unknown>, ['version', 'rules'], 'rule set')
  if (!Array.isArray(rules) || rules.length > maxRules) {
    fault(`rules must be a list of at most ${maxRules}`)
  }
  const parsed = rules.map((rule, i) => parseRule(rule, `rules[${i}]`))
  const ids = new Set<string>()
  let repeatSeen = false
  for (const rule of parsed) {
    if (ids.has(rule.id)) fault(`two rules have the id "${rule.id}"`)
    ids.add(rule.id)
    if (rule.kind === 'mark' && repeatSeen) fault(`rule "${rule.id}": mark rules come first`)
    repeatSeen ||= rule.kind === 'repeat'
  }
  return { version: wholeNumber(version, 'version', 1, 2 ** 31 - 1), rules: parsed }
}

const units = [
  [86_400_000, 'D'],
  [3_600_000, 'H'],
  [60_000, 'M'],
] as const

function formatDuration(ms: number): string {
  for (const [unitMs, letter] of units) {
    if (ms % unitMs === 0) return letter === 'D' ? `P${ms / unitMs}D` : `PT${ms / unitMs}${letter}`
  }
  return `PT${ms / 1000}S`
}

/** The JSON form of a rule set: what `parseRuleSet` reads. */
export function formatRuleSet(ruleSet: RuleSet): unknown {
  return {
    version: ruleSet.version,
    rules: ruleSet.rules.map((rule) => {
      if (rule.kind === 'mark') return rule
      const { windowMs, after, ...rest } = rule
      return { ...rest, window: formatDuration(windowMs), ...(after === 1 ? {} : { after }) }
    }),
  }
}

export const defaultRuleSet: RuleSet = parseRuleSet(defaultRuleSetJson)

/** The widest window of the set's repeat rules; 0 where it has none. */
export function widestWindowMs(ruleSet: RuleSet): number {
  return Math.max(0, ...ruleSet.rules.map((rule) => (rule.kind === 'repeat' ? rule.windowMs : 0)))
}

/**
 * How far before a click its verdict can depend on others: the clicks it repeats, and the copies
 * that decide whether those count.
 */
export function lookBackMs(ruleSet: RuleSet): number {
  return widestWindowMs(ruleSet) + identityRule.windowMs
}

export const isRepeat = (rule: Rule): rule is RepeatRule => rule.kind === 'repeat'
export const isMarkRule = (rule: Rule): rule is MarkRule => rule.kind === 'mark'
