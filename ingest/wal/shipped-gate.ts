// CLICKLEDGER_ACK=log: answers of a durable group wait until the event log has it, or until their
// budget is used up. The click is accepted either way; waiting only brings the answer closer to
// what readers of the log see.
import { isAtLeast, type Position, type WalControl } from './control.ts'
import type { Acknowledge } from './writer.ts'

const budgetMs = 30

interface Held {
  readonly acks: readonly Acknowledge[]
  readonly end: Position
  readonly deadline: number
}

export function createShippedGate(control: WalControl) {
  // Bounded by time: nothing stays longer than the budget.
  let held: Held[] = []
  let timer: NodeJS.Timeout | undefined

  const check = (): void => {
    const { shipped } = control
    const now = performance.now()
    // Groups are held in order, with equal budgets: the ones to release are in front.
    let count = 0
    for (const { end, deadline } of held) {
      if (!isAtLeast(shipped, end) && now < deadline) break
      count++
    }
    const released = held.slice(0, count)
    held = held.slice(count)
    clearTimeout(timer)
    const [next] = held
    timer = next && setTimeout(check, Math.max(1, next.deadline - now))
    for (const { acks } of released) for (const acknowledge of acks) acknowledge(undefined)
  }

  return {
    hold(acks: readonly Acknowledge[], end: Position): void {
      held.push({ acks, end, deadline: performance.now() + budgetMs })
      check()
    },
    check,
    releaseAll(): void {
      clearTimeout(timer)
      const all = held
      held = []
      for (const { acks } of all) for (const acknowledge of acks) acknowledge(undefined)
    },
  }
}
