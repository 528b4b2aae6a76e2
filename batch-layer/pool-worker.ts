// What the workers of the batch layer do, for the pool. An error loses its code on the way between
// threads: so it travels as a value, and becomes an error again on the other side.
import { ClickledgerError, type ErrorCode } from '#schemas/errors.ts'
import { affectedHours as affectedHoursHere } from './rebuild/affected-worker.ts'
import { compareHours as compareHoursHere } from './rebuild/compare-worker.ts'
import { stageTask as stageTaskHere } from './rebuild/stage-worker.ts'
import { findDifferences as findDifferencesHere } from './reconcile/differences-worker.ts'

interface Fault {
  readonly message: string
  readonly code: ErrorCode | undefined
}
export type Carried<T> = { readonly result: T } | { readonly fault: Fault }

function carried<Input, T>(work: (input: Input) => Promise<T>) {
  return async (input: Input): Promise<Carried<T>> => {
    try {
      return { result: await work(input) }
    } catch (error) {
      const code = error instanceof ClickledgerError ? error.code : undefined
      return { fault: { message: (error as Error).message, code } }
    }
  }
}

export const stageTask = carried(stageTaskHere)
export const compareHours = carried(compareHoursHere)
export const affectedHours = carried(affectedHoursHere)
export const findDifferences = carried(findDifferencesHere)
