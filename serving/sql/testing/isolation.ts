// Whether a tenant's answers depend on what others have. The same statements are asked of two stores,
// one with the tenant's clicks only: not one answer may differ.
import type { SqlStatement } from '#core/sql.ts'
import type { OlapStore } from '#platform/olap/port.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { createDice, hostileStatement } from './hostile.ts'
import { type Asked, pinnedFor, rowsOf, statementOf } from './rig.ts'

export interface Isolation {
  readonly answered: number
  readonly refused: number
  /** Statements whose answers differ, or name another tenant. */
  readonly leaks: readonly { readonly sql: string; readonly told: string }[]
}

export interface IsolationParts {
  readonly alone: Pick<OlapStore, 'sql'>
  readonly shared: Pick<OlapStore, 'sql'>
  readonly seed: number
  readonly count: number
  /** Statements under way at once. */
  readonly atOnce?: number
  /** Breaks a statement, to see whether it is noticed. */
  readonly mutate?: (statement: SqlStatement) => SqlStatement
}

/** Rows as a set of lines, or the refusal. */
async function answerOf(store: Pick<OlapStore, 'sql'>, statement: SqlStatement): Promise<string> {
  try {
    const rows = await rowsOf(await store.sql(statement))
    return rows
      .map((row) => JSON.stringify(row))
      .sort()
      .join('\n')
  } catch (error) {
    if (!(error instanceof ClickledgerError) || error.code !== 'sql-refused') throw error
    return 'refused'
  }
}

/** A foreign text that the statement did not bring along itself. */
const namesForeign = (asked: Asked, answer: string): boolean =>
  answer.includes('foreign-') && !JSON.stringify(asked.parameters).includes('foreign-')

export async function tryIsolation(parts: IsolationParts): Promise<Isolation> {
  const { alone, shared, seed, count, atOnce = 3, mutate = (s) => s } = parts
  const dice = createDice(seed)
  const leaks: { sql: string; told: string }[] = []
  let [answered, refused, begun] = [0, 0, 0]
  const one = async (asked: Asked) => {
    let statement: SqlStatement
    try {
      statement = statementOf(asked, pinnedFor('mine'))
    } catch (error) {
      if (!(error instanceof ClickledgerError)) throw new Error(asked.sql, { cause: error })
      refused++
      return
    }
    const [own, got] = await Promise.all([
      answerOf(alone, statement),
      answerOf(shared, mutate(statement)),
    ]).catch((cause: unknown) => {
      throw new Error(`${asked.sql}: ${(cause as Error).message}`, { cause })
    })
    if (got === 'refused') refused++
    else answered++
    if (own !== got || namesForeign(asked, got))
      leaks.push({ sql: asked.sql, told: got.slice(0, 300) })
  }
  const worker = async () => {
    while (begun < count) {
      begun++
      await one(hostileStatement(dice))
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return { answered, refused, leaks }
}

/** The statement with the predicate gone from all of its tables, or from the last one only. */
export function withoutPredicate(statement: SqlStatement, which: 'all' | 'last'): SqlStatement {
  const copy = structuredClone(statement)
  const broken = which === 'all' ? copy.views : copy.views.slice(-1)
  // A clone keeps who is who: the views of the list are those of the query.
  for (const view of broken) Object.assign(view, { filters: [] })
  return copy
}
