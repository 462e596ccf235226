/** Keys that manifests of several kinds have, as zod shapes. Pure. */
import { z } from 'zod'

export const size = z.number().int().min(1)
export const share = z.number().min(0).max(1)
export const folder = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'a plain folder name')
export const sha256 = z.string().regex(/^[0-9a-f]{64}$/, '64 lower-case hexadecimal digits')
/** What people want to know of a model; the code reads none of it, so any keys are welcome. */
export const story = z.looseObject({})
export const sampleRateHz = z.union([z.literal(8000), z.literal(16000)])
export const decisionThresholds = z.strictObject({ synthetic: share, human: share })

/** When the model's own outputs say that it knows nothing of a window; beside the threshold any story of it. */
export const abstentions = z.strictObject({
  novelty: z.looseObject({ threshold: z.number().positive('a number above 0: windows of more novelty are left out') }),
})

/** How scores and inputs were distributed when the version was made: counts by name, in the bins of drift-watch. */
export const distributionCounts = z.record(z.string(), z.array(z.number().int().min(0)).max(256))

/** Keys that both kinds of features have. */
const bandKeys = {
  scale: z.enum(['linear', 'mel']),
  windowSamples: size.max(512),
  hopSamples: size.max(512),
  fftSize: z.union([z.literal(256), z.literal(512)]),
  bands: size.max(256),
  lowHz: z.number().min(0),
  highHz: z.number().max(8000),
  floor: z.number().positive(),
}

export const bandFeatures = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('log-bands'), ...bandKeys }),
  z.strictObject({ kind: z.literal('cepstra'), coefficients: size, ...bandKeys }),
])

/** Where keys of a feature definition contradict one another. */
export function featureDisagreements(features: z.infer<typeof bandFeatures>, rateHz: number, path: string): string[] {
  const out: string[] = []
  const at = (key: string): string => `${path}.${key}`
  if (features.windowSamples > features.fftSize) {
    out.push(`${at('windowSamples')} ${features.windowSamples} is larger than ${at('fftSize')} ${features.fftSize}`)
  }
  if (features.highHz <= features.lowHz || features.highHz > rateHz / 2) {
    out.push(`${at('highHz')} ${features.highHz} must lie above lowHz ${features.lowHz} and within ${rateHz / 2}`)
  }
  if (features.kind === 'cepstra' && features.coefficients > features.bands) {
    out.push(`${at('coefficients')} ${features.coefficients} is larger than ${at('bands')} ${features.bands}`)
  }
  return out
}

export function thresholdDisagreements(thresholds: z.infer<typeof decisionThresholds>): string[] {
  const { synthetic, human } = thresholds
  return synthetic > human ? [] : [`thresholds.synthetic ${synthetic} must lie above thresholds.human ${human}`]
}
