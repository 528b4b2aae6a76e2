// Runs of the batch layer: which kinds there are, in which states they stand, and what may be done to
// them in which state. The batch layer moves them on; the API only asks for what this table allows.

export const runKinds = ['seal', 'rebuild', 'backfill', 'rollback', 'rehearsal'] as const
export type RunKind = (typeof runKinds)[number]

export const runStatuses = [
  'planned',
  'running',
  'awaiting-approval',
  'approved',
  'publishing',
  'done',
  'failed',
  'interrupted',
  'cancelled',
] as const
export type RunStatus = (typeof runStatuses)[number]

/** A run in one of these holds its hours: no other run may touch them. */
export const holdingStatuses = [
  'planned',
  'running',
  'awaiting-approval',
  'approved',
  'publishing',
] as const satisfies readonly RunStatus[]

/** Runs that wait in the catalogue for whoever holds the lease. The others are made by the scheduler. */
export const queuedKinds = [
  'backfill',
  'rollback',
  'rehearsal',
] as const satisfies readonly RunKind[]

/**
 * What an operator may do to a run: of which kinds, in which states, and which state it asks for. The scheduler
 * plans the hours of its own runs anew: nobody would take up one that is planned again.
 */
export const runActions = {
  approve: { kinds: runKinds, from: ['awaiting-approval'], to: 'approved' },
  cancel: {
    ...{ kinds: runKinds, to: 'cancelled' },
    from: ['planned', 'running', 'awaiting-approval', 'approved'],
  },
  resume: { kinds: queuedKinds, from: ['failed', 'interrupted', 'cancelled'], to: 'planned' },
} as const satisfies Record<
  string,
  { kinds: readonly RunKind[]; from: readonly RunStatus[]; to: RunStatus }
>
export type RunAction = keyof typeof runActions

export const engines = ['piscina', 'spark'] as const
export type Engine = (typeof engines)[number]

/** What is to be done, as the run's row keeps it (column `plan`, JSON). Times in ms. */
export interface RunPlan {
  /** What was asked for: hours [from, to), and the version to judge under. */
  readonly from?: number
  readonly to?: number
  readonly ruleSet?: number
  /** Ends when it is planned. */
  readonly isDryRun?: boolean
  /** Hours with the version of the rule set to judge them under; none until planned. */
  readonly hours: readonly { readonly hour: number; readonly ruleSet: number }[]
  /** The archive as it was when planned; undefined until then. */
  readonly archiveVersion?: number
  readonly files?: number
  readonly bytes?: number
  readonly clicks?: number
  /** From the speed of earlier runs; undefined: none was measured. */
  readonly expectedSeconds?: number
  /** Only this advertiser's numbers are rebuilt; the others' stay as they are. */
  readonly advertiserId?: string
  /** Publishes without being asked where the guard rails allow it. */
  readonly approvesItself?: boolean
  readonly engine?: Engine
  /** rollback: the run whose numbers are taken back. */
  readonly rollsBack?: string
  /** rehearsal: the rule set that is tried, as `rules show` prints it. */
  readonly rules?: unknown
}

/** A list of these names in SQL. */
export const among = (list: readonly (RunKind | RunStatus)[]): string =>
  list.map((text) => `'${text}'`).join(', ')
/** SQL: whether a run of this status holds its hours. */
export const isHoldingSql = `status IN (${among(holdingStatuses)})`
export const isQueuedKindSql = `kind IN (${among(queuedKinds)})`
