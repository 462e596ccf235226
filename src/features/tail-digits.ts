/** How even the last digits of a range's calling numbers are: ten counts a key, in one array. Any thread. */

/** Counts of the last digit; halved when one is full, so that old calls fade. */
export function countTail(counts: Uint8Array, at: number, digit: number): void {
  if (digit < 0) return
  if (counts[at + digit] === 255) for (let i = at; i < at + 10; i++) counts[i] = counts[i]! >> 1
  counts[at + digit] = counts[at + digit]! + 1
}

/** 0 (one digit) to 1 (all ten alike). */
export function tailEntropy(counts: Uint8Array, at: number): number {
  let total = 0
  for (let i = at; i < at + 10; i++) total += counts[i]!
  if (total === 0) return 0
  let entropy = 0
  for (let i = at; i < at + 10; i++) {
    const share = counts[i]! / total
    if (share > 0) entropy -= share * Math.log10(share)
  }
  return entropy
}
