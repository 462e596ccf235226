/**
 * A sound that any speech gate should take for a voice: a falling pulse train of a hundred odd Hz through two formants,
 * loud and soft four times a second. Mu-law bytes, the same for the same range.
 */

/** G.711 mu-law of one sample in -32768..32767, by the segment search of the recommendation. */
function muLaw(sample: number): number {
  const sign = sample < 0 ? 0x80 : 0
  const magnitude = Math.min(32_635, Math.abs(Math.round(sample))) + 132
  const exponent = Math.floor(Math.log2(magnitude)) - 7
  return ~(sign | (exponent << 4) | ((magnitude >> (exponent + 3)) & 15)) & 255
}

/** `count` bytes from sample `from` on. */
export function voiceLike(from: number, count: number): Buffer {
  return Buffer.from(
    Uint8Array.from({ length: count }, (_, i) => {
      const t = (from + i) / 8000
      const pitchHz = 120 + 15 * Math.sin(2 * Math.PI * 0.7 * t)
      const sincePulse = ((t * pitchHz) % 1) / pitchHz
      const ring = (hz: number, decay: number) =>
        Math.sin(2 * Math.PI * hz * sincePulse) * Math.exp(-decay * sincePulse)
      const syllable = 0.55 + 0.45 * Math.sin(2 * Math.PI * 4 * t)
      return muLaw(9000 * syllable * (ring(600, 300) + 0.6 * ring(1700, 500) + 0.3 * ring(2600, 700)))
    }),
  )
}
