/**
 * Hiya's (Loccus') streaming verification of authenticity: model `phone` for 8 kHz. The audio is sent as a WAV that
 * begins without a length, which their decoder takes. Their documents do not say which end of `synthesis` is synthetic,
 * so the configuration must (`polarity`), after a try with a known fake. Main thread.
 *
 *   wss://.../verify/authenticity     Authorization: Bearer KEY
 *   -> {"model":"phone","config":{"synthesisSources":false}}, binary ..., {"type":"close"}
 *   <- {"type":"chunk","chunk":{"startTime":"PT0S","endTime":"PT3.500S","label":"validVoice",
 *       "scores":{"synthesis":0.1}}}       label: validVoice | excessiveMusic | excessiveNoise | insufficientVoice
 *   <- {"type":"verification","verification":{"duration":...,"scores":{"synthesis":0.12}}}
 *   <- {"type":"error","message":"..."}
 */
import {
  type Abstention,
  OpinionFailure,
  type OpinionSession,
  type OpinionVendor,
  parseObject,
  probability,
} from './opinion.ts'
import { endlessWavHeader } from './recorded-audio.ts'
import { StreamedScore, type StreamVendorOptions } from './streamed-score.ts'

export interface HiyaOptions extends StreamVendorOptions {
  /** What a high `synthesis` means. */
  readonly polarity: 'high_is_synthetic' | 'high_is_human'
}

const unfit: Readonly<Record<string, Abstention>> = {
  excessiveMusic: 'music',
  excessiveNoise: 'noise',
  insufficientVoice: 'no_voice',
}

export function hiya(options: HiyaOptions): OpinionVendor {
  return { name: options.name, start: () => session(options) }
}

function session(options: HiyaOptions): OpinionSession {
  const headers = { authorization: `Bearer ${options.apiKey}` }
  const stream: StreamedScore = new StreamedScore({ ...options, headers }, (text) => {
    const message = parseObject(text)
    if (message['type'] === 'chunk') hear(stream, (message['chunk'] ?? {}) as Scored, options)
    else if (message['type'] === 'verification') {
      stream.finish(synthesisOf((message['verification'] ?? {}) as Scored, options))
    } else if (message['type'] === 'error') throw new OpinionFailure('refused', 'the vendor tells an error')
  })
  stream.send(JSON.stringify({ model: 'phone', config: { synthesisSources: false } }))
  stream.send(endlessWavHeader())
  return {
    pushAudio: (mulaw) => stream.send(mulaw),
    score: () => {
      stream.send(JSON.stringify({ type: 'close' }))
      return stream.result()
    },
    close: () => stream.close(),
  }
}

interface Scored {
  readonly label?: unknown
  readonly scores?: unknown
}

function hear(stream: StreamedScore, chunk: Scored, options: HiyaOptions): void {
  const { label } = chunk
  if (label === 'validVoice') {
    const score = synthesisOf(chunk, options)
    if (score !== null) stream.add(score)
    return
  }
  const why = typeof label === 'string' ? unfit[label] : undefined
  if (why === undefined) throw new OpinionFailure('garbled', 'an unknown label')
  stream.skip(why)
}

/** Null: they do not say. */
function synthesisOf({ scores }: Scored, { polarity }: HiyaOptions): number | null {
  const { synthesis } = (scores ?? {}) as { synthesis?: unknown }
  if (synthesis === undefined || synthesis === null) return null
  const high = probability(synthesis, 'scores.synthesis')
  return polarity === 'high_is_synthetic' ? high : 1 - high
}
