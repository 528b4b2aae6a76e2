// The order of texts, everywhere: that of their UTF-8 bytes, which is the order of Unicode's code points
// and that of DuckDB and Spark. JavaScript's own `<` compares UTF-16 code units, and so places
// characters beyond U+FFFF before U+E000.

const firstSurrogate = 0xd800
const afterSurrogates = 0xe000

/** Surrogates, halves of characters beyond U+FFFF, after all other code units. */
const rank = (unit: number) =>
  unit < firstSurrogate ? unit : unit < afterSurrogates ? unit + 0x2000 : unit - 0x800

/** Negative where `a` comes before `b`, positive where it comes after, 0 where they are equal. */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const [left, right] = [a.charCodeAt(i), b.charCodeAt(i)]
    if (left !== right) return rank(left) - rank(right)
  }
  return a.length - b.length
}
