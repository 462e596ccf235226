/** The shape of `opinions`: other detectors that may be asked about a track. Off unless vendors are named. */
import { z } from 'zod'

const shared = {
  name: z.string().regex(/^[a-z0-9-]{1,32}$/, 'lower-case letters, digits and hyphens, 32 at most'),
  apiKey: z.string().min(1),
  perHourMax: z.number().int().min(1).max(10_000).default(60),
  allowPrivate: z.boolean().default(false),
}
const webUrl = z.url({ protocol: /^https?$/ })
const socketUrl = z.url({ protocol: /^wss?$/ })

const vendor = z.discriminatedUnion('kind', [
  z.strictObject({
    ...shared,
    kind: z.literal('resemble'),
    url: webUrl.default('https://app.resemble.ai/api/v2'),
  }),
  z.strictObject({
    ...shared,
    kind: z.literal('modulate'),
    url: socketUrl.default('wss://modulate-developer-apis.com/api/velma-2-synthetic-voice-detection-streaming'),
  }),
  z.strictObject({
    ...shared,
    kind: z.literal('hiya'),
    url: socketUrl,
    polarity: z.enum(['high_is_synthetic', 'high_is_human']),
  }),
  z.strictObject({
    ...shared,
    kind: z.literal('reality-defender'),
    url: webUrl.default('https://api.prd.realitydefender.xyz'),
  }),
])

const labels = ['likely_synthetic', 'likely_human', 'inconclusive', 'insufficient_speech', 'benign_automation'] as const

export const opinionsSchema = z.strictObject({
  vendors: z.array(vendor).max(8),
  labels: z.array(z.enum(labels)),
  audioMs: z.number().int().min(2000).max(60_000),
  answerTimeoutMs: z.number().int().min(100).max(300_000),
  concurrentMax: z.number().int().min(1).max(1000),
  vendorsPerTrack: z.number().int().min(1).max(8),
})

export type OpinionsConfig = z.infer<typeof opinionsSchema>
export type VendorConfig = OpinionsConfig['vendors'][number]

/** Rules that tie values to one another. */
export function opinionsProblems({ vendors }: OpinionsConfig): string[] {
  const problems: string[] = []
  for (const [index, { name, url, allowPrivate }] of vendors.entries()) {
    if (vendors.findIndex((other) => other.name === name) < index) {
      problems.push(`opinions.vendors: two are named ${name}`)
    }
    if (/^(http|ws):/.test(url) && !allowPrivate) {
      problems.push(
        `opinions.vendors: ${name} is called without TLS; that is for private addresses (allowPrivate) only`,
      )
    }
  }
  return problems
}
