/** Phone numbers in what leaves the house: all but the last three digits are left out. Pure. Any thread. */

/** A run of 7 to 15 digits that stands alone: not a part of an id, a time or a longer number. */
const numberLike = /(?<![\w.-])\+?\d{7,15}(?![\w-])/g

export function maskNumbers(text: string): string {
  return text.replace(numberLike, (number) => `***${number.slice(-3)}`)
}

/** The same data with the numbers in all its texts masked. Keys are ours and stay. */
export function withMaskedNumbers(value: unknown): unknown {
  if (typeof value === 'string') return maskNumbers(value)
  if (Array.isArray(value)) return value.map(withMaskedNumbers)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withMaskedNumbers(item)]))
}
