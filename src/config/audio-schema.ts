/** The shape of `audio:`, what of calls is kept as audio: nothing, unless said otherwise. Any thread. */
import { z } from 'zod'
import { filePath } from './file-path.ts'

export const audioSchema = z.strictObject({
  keep: z.enum(['none', 'labels', 'all']),
  labels: z.array(z.enum(['likely_synthetic', 'likely_human', 'inconclusive', 'benign_automation'])),
  ttlH: z.number().min(0.01).max(87_600),
  bytesMax: z.number().int().min(65_536).max(1_099_511_627_776),
  trackSecondsMax: z.number().int().min(1).max(86_400),
  keyFile: filePath.nullable(),
})

export type AudioConfig = z.infer<typeof audioSchema>
