// 64-bit fingerprints of text keys, as two 32-bit halves written into a given object, so that
// the hot path allocates nothing. Two multiplicative streams with MurmurHash3's finaliser.

export interface Fingerprint {
  low: number
  /** Never 0: tables use 0 for "empty". */
  high: number
}

/** Computes the fingerprint of `text` into `into`. */
export function fingerprint(text: string, into: Fingerprint): void {
  let a = 0x9e3779b9
  let b = 0x85ebca6b
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    a = Math.imul(a ^ c, 0x01000193)
    b = Math.imul((b << 5) ^ (b >>> 27) ^ c, 0x5bd1e995)
  }
  into.low = mix(a ^ (b >>> 15))
  const high = mix(b + Math.imul(a, 0xc2b2ae35) + text.length)
  into.high = high === 0 ? 1 : high
}

function mix(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
