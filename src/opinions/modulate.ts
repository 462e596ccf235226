/**
 * Modulate's streaming detection of synthetic voices: takes the mu-law bytes as they are, answers about once a second.
 * A frame's confidence belongs to its verdict, so a non-synthetic one counts from the other end; frames without content
 * do not count. The key stands in the URL, as they want it. Main thread.
 *
 *   wss://...-streaming?api_key&audio_format=mulaw&sample_rate=8000&num_channels=1
 *   -> binary ... , then "" (empty text): the end
 *   <- {"type":"frame","frame":{"start_time_ms":0,"end_time_ms":500,"verdict":"synthetic","confidence":0.97}}
 *   <- {"type":"done","duration_ms":6000,"frame_count":6}   |   {"type":"error","error":"..."}
 */
import { OpinionFailure, type OpinionSession, type OpinionVendor, parseObject, probability } from './opinion.ts'
import { StreamedScore, type StreamVendorOptions } from './streamed-score.ts'

export function modulate(options: StreamVendorOptions): OpinionVendor {
  const url = new URL(options.url)
  url.searchParams.set('api_key', options.apiKey)
  url.searchParams.set('audio_format', 'mulaw')
  url.searchParams.set('sample_rate', '8000')
  url.searchParams.set('num_channels', '1')
  return { name: options.name, start: () => session(options, url.href) }
}

function session(options: StreamVendorOptions, url: string): OpinionSession {
  const stream: StreamedScore = new StreamedScore({ ...options, url, headers: {} }, (text) => {
    const { type, frame } = parseObject(text)
    if (type === 'frame') hear(stream, (frame ?? {}) as Frame)
    else if (type === 'done') stream.finish()
    else if (type === 'error') throw new OpinionFailure('refused', 'the vendor tells an error')
    // Other types are for later versions of theirs.
  })
  return {
    pushAudio: (mulaw) => stream.send(mulaw),
    score: () => {
      stream.send('')
      return stream.result()
    },
    close: () => stream.close(),
  }
}

interface Frame {
  readonly verdict?: unknown
  readonly confidence?: unknown
}

function hear(stream: StreamedScore, { verdict, confidence }: Frame): void {
  const sure = probability(confidence, 'confidence')
  if (verdict === 'synthetic') stream.add(sure)
  else if (verdict === 'non-synthetic') stream.add(1 - sure)
  else if (verdict !== 'no-content') throw new OpinionFailure('garbled', 'an unknown verdict')
}
