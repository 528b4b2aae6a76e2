// Random numbers from a seed, so that a simulation can be had again; and the two choices it makes.

export type Random = () => number

/** Mulberry32: small, fast, good enough to pick ads and addresses. @returns numbers in [0, 1) */
export function createRandom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** One of a list. */
export function pick<T>(random: Random, list: readonly T[]): T {
  const item = list[Math.floor(random() * list.length)]
  if (item === undefined) throw new Error('nothing to pick from')
  return item
}

/** Picks items by weight. */
export function createWeighted<T>(
  items: readonly T[],
  weightOf: (item: T, index: number) => number,
): (random: Random) => T {
  let total = 0
  const sums = items.map((item, i) => {
    total += weightOf(item, i)
    return total
  })
  return (random) => {
    const at = random() * total
    let [low, high] = [0, sums.length - 1]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((sums[middle] ?? 0) > at) high = middle
      else low = middle + 1
    }
    const item = items[low]
    if (item === undefined) throw new Error('nothing to pick from')
    return item
  }
}

/** Zipf: the k-th item has the weight 1/k^exponent, so the first few get most. */
export const createZipf = <T>(items: readonly T[], exponent = 1.1) =>
  createWeighted(items, (_, i) => 1 / (i + 1) ** exponent)
