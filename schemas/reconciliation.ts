// The words of reconciliation: why the speed layer said otherwise than batch about one click.

/** Classes of differences, in the order in which people are shown them. */
export const differenceClasses = {
  late: 'The click, or one that it repeats, reached the speed layer out of order or after that had forgotten the other.',
  'wider-window': "The rule's window is wider than what the speed layer remembers.",
  'other-partition':
    'The click that it repeats lies in another partition, which the speed layer judges apart.',
  'rule-set': 'The two judged under different versions of the rule set.',
  'missing-in-speed':
    'Batch has the click, the speed layer never said anything about it or its copies.',
  'missing-in-archive': 'The speed layer judged a click that the archive of raw clicks lacks.',
  unexplained: 'None of the above: the two should have said the same.',
} as const
export type DifferenceClass = keyof typeof differenceClasses

export const differenceClassNames = Object.keys(differenceClasses) as DifferenceClass[]

/** Differences that a sound installation never has. */
export const alarmingClasses: readonly DifferenceClass[] = [
  'missing-in-speed',
  'missing-in-archive',
  'unexplained',
]

/** One click on which the two differ. */
export interface DifferenceExample {
  readonly event_id: string
  /** Milliseconds. */
  readonly event_time: number
  readonly raw_partition: number
  readonly raw_offset: number
  /** `status` or `status: rule`; empty: the side says nothing about it. */
  readonly batch: string
  readonly speed: string
}
