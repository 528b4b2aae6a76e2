// Offsets of a topic's partitions, by their number.

/** Whether these offsets are at least those, in every partition; one that is absent counts as 0. */
export const reaches = (offsets: readonly number[], atLeast: readonly number[]): boolean =>
  atLeast.every((at, partition) => (offsets[partition] ?? 0) >= at)
