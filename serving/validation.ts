// Checks a request against its route's schema. Parameters of a URL are texts and become what the schema
// says, but only where they look like it: `true` is no 1. Each fault brings a correct value to show.
import { TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox'

interface Property {
  readonly type?: string
  readonly examples?: readonly unknown[]
  readonly enum?: readonly unknown[]
  readonly minimum?: number
}

const propertiesOf = (schema: unknown) =>
  (schema as { readonly properties?: Readonly<Record<string, Property>> }).properties ?? {}

const looksLike: Readonly<Record<string, RegExp>> = {
  integer: /^-?\d{1,15}$/,
  number: /^-?\d{1,15}(\.\d{1,15})?$/,
  boolean: /^(true|false)$/,
}

/** Texts that would be converted without meaning it, or that no store takes. */
function misread(schema: unknown, value: unknown) {
  return Object.entries(propertiesOf(schema)).flatMap(([name, { type = '' }]) => {
    const text = (value as Record<string, unknown> | undefined)?.[name]
    if (typeof text !== 'string') return []
    const fault = { keyword: 'type', instancePath: `/${name}`, params: {} }
    if (text.includes('\u0000')) return [{ ...fault, message: 'must not contain U+0000' }]
    return looksLike[type]?.test(text) === false ? [{ ...fault, message: `must be ${type}` }] : []
  })
}

/** A value that the parameter at this path may have. */
function exampleOf(schema: unknown, instancePath: string): unknown {
  const property = propertiesOf(schema)[instancePath.split('/')[1] ?? '']
  return property?.examples?.[0] ?? (property?.enum ? undefined : property?.minimum)
}

type Fault = { readonly instancePath: string; readonly params: object }

export const validatorCompiler: typeof TypeBoxValidatorCompiler = (route) => {
  const check = TypeBoxValidatorCompiler(route)
  const shown = (faults: readonly Fault[]) =>
    faults.map((fault) => ({
      ...fault,
      params: { ...fault.params, example: exampleOf(route.schema, fault.instancePath) },
    }))
  return (value: unknown) => {
    const faults = route.httpPart === 'body' ? [] : misread(route.schema, value)
    if (faults.length > 0) return { error: shown(faults) as never }
    const result = check(value) as { error?: readonly Fault[] }
    return (result.error ? { error: shown(result.error) } : result) as never
  }
}
