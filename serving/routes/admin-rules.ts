// Rule sets: the one in force, and the next. A version is never changed, only followed by another.
import { Type } from 'typebox'
import { formatRuleSet, parseRuleSet } from '#core/rules/rule-set.ts'
import type { Catalogue } from '#platform/catalogue/port.ts'
import { currentRuleSet } from '#platform/rule-sets.ts'
import { audit } from '../audit.ts'
import { admins, operators, principalOf } from '../auth.ts'
import { answers } from '../schemas.ts'
import type { Server } from '../server.ts'

export interface RuleRouteDeps {
  readonly catalogue: Catalogue
  readonly now: () => number
}

const RuleSetAnswer = Type.Object(
  {
    version: Type.Integer(),
    rules: Type.Array(Type.Object({}, { additionalProperties: true })),
  },
  { description: 'Rules in order; mark rules come first.' },
)

/** The body with the version it will get; whatever version it names is a left-over of `rules show`. */
function withVersion(body: unknown, version: number): unknown {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return body
  return { ...body, version }
}

export function addRuleRoutes(app: Server, { catalogue, now }: RuleRouteDeps): void {
  app.get(
    '/v1/rules',
    {
      // Who pays may know why a click was not billed; who is paid would learn how to get round it.
      config: { roles: ['advertiser', ...operators] },
      schema: {
        tags: ['administration'],
        summary: 'The rule set in force',
        response: answers(RuleSetAnswer),
      },
    },
    async () => formatRuleSet(await currentRuleSet(catalogue)) as { version: number; rules: [] },
  )
  app.post(
    '/v1/rules',
    {
      config: { roles: admins, errors: ['invalid-rule-set'] },
      schema: {
        tags: ['administration'],
        summary: 'Put the next rule set in force',
        description:
          'Its version is the next number, whatever the body says. The same rules again change nothing.',
        body: Type.Unknown(),
        response: answers(RuleSetAnswer),
      },
    },
    async (request) => {
      const principal = principalOf(request)
      return catalogue.transaction(async (tx) => {
        const current = await currentRuleSet(tx)
        const next = parseRuleSet(withVersion(request.body, current.version + 1))
        if (JSON.stringify(next.rules) === JSON.stringify(current.rules)) {
          return formatRuleSet(current) as { version: number; rules: [] }
        }
        const formatted = formatRuleSet(next) as { version: number; rules: [] }
        await tx.query(
          'INSERT INTO rule_sets (version, body, created_at, created_by) VALUES ($1, $2, $3, $4)',
          [next.version, JSON.stringify(formatted), now(), principal.prefix],
        )
        await audit(tx, now(), principal, 'rules.set', String(next.version), formatted)
        return formatted
      })
    },
  )
}
