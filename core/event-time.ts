// Which event times are admitted at the door.
import { admission } from '#schemas/limits.ts'

export type Admission =
  | { kind: 'admitted' }
  | { kind: 'reject'; reason: 'event-too-old' | 'event-in-future' }

/** Admits a click's own time within [now - 7 days, now + 5 minutes]. */
export function admitEventTime(eventTime: number, now: number): Admission {
  if (eventTime < now - admission.pastMs) return { kind: 'reject', reason: 'event-too-old' }
  if (eventTime > now + admission.futureMs) return { kind: 'reject', reason: 'event-in-future' }
  return { kind: 'admitted' }
}
