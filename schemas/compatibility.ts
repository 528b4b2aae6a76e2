// Whether a newer Avro record schema can read what an older one wrote, and keeps all of it.
// Stricter than Avro's own rules: a field may not be removed either, since billing may need it.
import avro from 'avsc'

interface RecordSchema {
  readonly fields: readonly {
    readonly name: string
    readonly type: unknown
    readonly default?: unknown
  }[]
}

/** What is wrong with replacing `older` by `newer`; empty: nothing. */
export function compatibilityFaults(older: avro.Schema, newer: avro.Schema): string[] {
  const before = (older as unknown as RecordSchema).fields
  const after = (newer as unknown as RecordSchema).fields
  const faults: string[] = []
  for (const { name, type } of before) {
    const now = after.find((field) => field.name === name)
    if (!now) faults.push(`field "${name}" was removed`)
    else if (JSON.stringify(now.type) !== JSON.stringify(type)) {
      faults.push(`field "${name}" changed its type`)
    }
  }
  for (const field of after) {
    const isNew = !before.some(({ name }) => name === field.name)
    if (isNew && field.default === undefined) {
      faults.push(`new field "${field.name}" has no default, so older records cannot be read`)
    }
  }
  if (faults.length > 0) return faults
  try {
    avro.Type.forSchema(newer).createResolver(avro.Type.forSchema(older))
    return []
  } catch (error) {
    return [(error as Error).message]
  }
}
