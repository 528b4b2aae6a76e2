// A cache that several nodes share: best effort, in both directions. It may know nothing, forget,
// hold what a stranger wrote, or be gone; whoever asks goes on without it and checks what it says.

export type Lookup =
  | { readonly kind: 'hit'; readonly value: string }
  | { readonly kind: 'miss' }
  /** Did not answer within its budget. */
  | { readonly kind: 'timeout' }
  /** There is no connection, or too much waits for it already. */
  | { readonly kind: 'away' }

export interface SharedCache {
  readonly isUp: boolean
  /** Never rejects, and never takes longer than the budget of the adapter (some milliseconds). */
  get(key: string): Promise<Lookup>
  /**
   * Nobody needs to wait for it. Never rejects.
   * @returns whether the value was stored
   */
  set(key: string, value: string, ttlMs: number): Promise<boolean>
  close(): Promise<void>
}
