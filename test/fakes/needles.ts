/** Planted secrets and numbers, and where of them something was found, in all spellings that a leak could have. */

/** Ways to write a number of which the national part has ten digits. */
function spellings(e164: string): string[] {
  const national = e164.slice(-10)
  const [area, mid, end] = [national.slice(0, 3), national.slice(3, 6), national.slice(6)]
  // Found in E.164, with 00 or 0 in front, in URLs (%2B12025550147) and in ids: all hold the last ten digits.
  return [national, `${mid}-${end}`, `${mid} ${end}`, `(${area}) ${mid}`, ...encoded(e164), ...encoded(national)]
}

/** The text within base64 of something longer, wherever in it the text begins. */
function encoded(text: string): string[] {
  return [0, 1, 2].map((lead) => {
    const whole = Buffer.from('x'.repeat(lead) + text).toString('base64')
    // The first characters hold what stands before, the last ones what stands behind.
    return whole.slice(lead === 0 ? 0 : lead + 1, Math.floor(((lead + text.length) * 8) / 6)).slice(0, -1)
  })
}

export class Needles {
  readonly #needles: readonly { readonly name: string; readonly bytes: Buffer }[]

  constructor(secrets: Readonly<Record<string, string>>, numbers: readonly string[]) {
    const all = [
      ...Object.entries(secrets).flatMap(([name, secret]) => [secret, ...encoded(secret)].map((text) => [name, text])),
      ...numbers.flatMap((number) => spellings(number).map((text) => [`number ${number}`, text])),
    ]
    this.#needles = all.map(([name = '', text = '']) => ({ name: `${name} as ${text}`, bytes: Buffer.from(text) }))
  }

  /** What of them is in it, each with some of what stands around. */
  in(where: string, hay: string | Buffer): string[] {
    const bytes = typeof hay === 'string' ? Buffer.from(hay) : hay
    return this.#needles.flatMap(({ name, bytes: needle }) => {
      const at = bytes.indexOf(needle)
      if (at < 0) return []
      const around = bytes.subarray(Math.max(0, at - 60), at + 60).toString('latin1')
      return [`${where}: ${name}: ...${around.replace(/[^\x20-\x7e]+/g, ' ')}...`]
    })
  }
}
