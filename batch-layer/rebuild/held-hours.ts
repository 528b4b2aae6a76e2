// Hours that a run holds: from its plan to its end no other run may touch them.
import type { Queryable } from '#platform/catalogue/port.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { isHoldingSql, type RunPlan } from '#schemas/runs.ts'

/** Hour -> the run that holds it. @param except - a run whose own hours do not count */
export async function heldHours(catalogue: Queryable, except = ''): Promise<Map<number, string>> {
  const rows = await catalogue.query<{ run_id: string; plan: string }>(
    `SELECT run_id, plan FROM runs WHERE ${isHoldingSql} AND kind <> 'rehearsal' AND run_id <> $1`,
    [except],
  )
  return new Map(
    rows.flatMap(({ run_id, plan }) =>
      (JSON.parse(plan) as RunPlan).hours.map(({ hour }) => [hour, run_id] as const),
    ),
  )
}

/** @throws ClickledgerError `run-conflict` where another run holds one of the hours */
export async function refuseHeld(
  catalogue: Queryable,
  runId: string,
  hours: readonly number[],
): Promise<void> {
  const held = await heldHours(catalogue, runId)
  const taken = hours.find((hour) => held.has(hour))
  if (taken === undefined) return
  throw new ClickledgerError(
    'run-conflict',
    `run ${held.get(taken)} holds ${new Date(taken).toISOString()}; wait for it, or cancel it`,
  )
}
