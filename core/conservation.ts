// The conservation law, checked by every fault test:
// accepted = valid + duplicate + invalid + dead-lettered + still in flight.

export interface Ledger {
  /** Distinct identities whose clients got their answer. */
  readonly accepted: number
  readonly valid: number
  readonly duplicate: number
  readonly invalid: number
  readonly deadLettered: number
  readonly inFlight: number
}

/** Accepted minus accounted for: 0 when the law holds, positive for lost, negative for counted twice. */
export function imbalance(ledger: Ledger): number {
  const { accepted, valid, duplicate, invalid, deadLettered, inFlight } = ledger
  return accepted - (valid + duplicate + invalid + deadLettered + inFlight)
}
