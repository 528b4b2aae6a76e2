// Prints a rule set as SQL steps for Spark: one object of JSON with `steps`, each {name, sql}, in order.
// usage: node interop/spark/compile.ts FROM TO [RULES.json]     (times in ISO 8601; without a file: the default rules)
import { readFileSync } from 'node:fs'
import { defaultRuleSet, lookBackMs, parseRuleSet } from '#core/rules/rule-set.ts'
import { ruleSetSteps } from '#core/rules/set-based.ts'

const [from = '', to = '', file] = process.argv.slice(2)
const [start, end] = [Date.parse(from), Date.parse(to)]
if (!(start < end)) {
  console.error('usage: node interop/spark/compile.ts FROM TO [RULES.json], times in ISO 8601')
  process.exit(2)
}
const ruleSet = file ? parseRuleSet(JSON.parse(readFileSync(file, 'utf8'))) : defaultRuleSet
const readFrom = new Date(start - lookBackMs(ruleSet)).toISOString()
console.log(JSON.stringify({ readFrom, steps: ruleSetSteps(ruleSet, { start, end }) }, null, 2))
