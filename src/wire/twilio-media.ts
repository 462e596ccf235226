/**
 * Twilio Media Streams: bytes of a WebSocket text message -> what it says. `parseTwilioMessage` reads every message in
 * every spelling; `MediaScanner` (twilio-media-scanner.ts) reads the many `media` messages without JSON.parse and says
 * the same (a property test holds them together). Pure, any thread.
 *
 * Messages (https://www.twilio.com/docs/voice/media-streams/websocket-messages). Numbers come as strings:
 *
 *   {"event":"connected","protocol":"Call","version":"1.0.0"}
 *   {"event":"start","sequenceNumber":"1","start":{"accountSid":"AC..","streamSid":"MZ..","callSid":"CA..",
 *     "tracks":["inbound"],"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1},
 *     "customParameters":{"k":"v"}},"streamSid":"MZ.."}
 *   {"event":"media","sequenceNumber":"3","media":{"track":"inbound","chunk":"1","timestamp":"5",
 *     "payload":"<base64 of mu-law bytes>"},"streamSid":"MZ.."}
 *   {"event":"dtmf","sequenceNumber":"5","dtmf":{"track":"inbound_track","digit":"1"},"streamSid":"MZ.."}
 *   {"event":"mark","sequenceNumber":"4","mark":{"name":".."},"streamSid":"MZ.."}
 *   {"event":"stop","sequenceNumber":"9","stop":{"accountSid":"AC..","callSid":"CA.."},"streamSid":"MZ.."}
 *
 * A track is spelled `inbound` or `inbound_track`, `outbound` or `outbound_track`. A number is 1 to 10 decimal digits.
 */

export type WireTrack = 'inbound' | 'outbound'

/** ms; a week. A timestamp beyond it is not a time of a call. */
export const timestampMsMax = 604_800_000
/**
 * ms; a loss within one detection is shorter, because one ends after `detection.voice.idleTimeoutMs` without a frame,
 * which is an hour at most. A timestamp that is further off is not a time but a mistake, or another clock.
 */
export const mediaJumpMsMax = 3_600_000
/** 32 bits; a week of two tracks at 50 messages a second needs 27. */
export const sequenceNumberMax = 4_294_967_295

/** A `media` message. `bytes[payloadStart, payloadEnd)` is base64 text. */
export interface MediaMessage {
  event: 'media'
  track: WireTrack
  /** ms from the start of the stream to the first sample. */
  timestampMs: number
  /** -1 when the message has none. */
  sequenceNumber: number
  bytes: Uint8Array
  payloadStart: number
  payloadEnd: number
}

export interface StartMessage {
  readonly event: 'start'
  readonly streamSid: string
  readonly callSid: string
  readonly accountSid: string
  /** In Twilio's order, without repetition; `['inbound']` when the message names none. */
  readonly tracks: readonly WireTrack[]
  /** Anything but `audio/x-mulaw` at 8000 Hz and 1 channel is not what we decode. */
  readonly isMulaw8k: boolean
  /** The stream's parameter `voicefw_audio` is "none": no audio of this call is to be kept. */
  readonly keepsNoAudio: boolean
}

export type TwilioMessage =
  | MediaMessage
  | StartMessage
  | { readonly event: 'connected' }
  | { readonly event: 'dtmf'; readonly track: WireTrack | null; readonly digit: string }
  | { readonly event: 'mark'; readonly name: string }
  | { readonly event: 'stop'; readonly callSid: string }
  | { readonly event: 'unknown' }
  | { readonly event: 'malformed'; readonly detail: string }

/** The slow way: every message in every spelling. Never throws. */
export function parseTwilioMessage(bytes: Uint8Array): TwilioMessage {
  let message: unknown
  try {
    message = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'))
  } catch {
    return malformed('not JSON')
  }
  if (!isObject(message)) return malformed('not an object')
  switch (message['event']) {
    case 'media':
      return mediaMessage(message)
    case 'start':
      return startMessage(message)
    case 'connected':
      return { event: 'connected' }
    case 'stop': {
      const stop = message['stop']
      return { event: 'stop', callSid: isObject(stop) ? text(stop['callSid']) : '' }
    }
    case 'dtmf': {
      const dtmf = message['dtmf']
      if (!isObject(dtmf)) return malformed('dtmf without its object')
      return { event: 'dtmf', track: wireTrack(dtmf['track']), digit: text(dtmf['digit']) }
    }
    case 'mark': {
      const mark = message['mark']
      return { event: 'mark', name: isObject(mark) ? text(mark['name']) : '' }
    }
    default:
      return typeof message['event'] === 'string' ? { event: 'unknown' } : malformed('event is not a string')
  }
}

function mediaMessage(message: Record<string, unknown>): TwilioMessage {
  const media = message['media']
  if (!isObject(media)) return malformed('media without its object')
  const track = wireTrack(media['track'])
  if (track === null) return malformed('media.track')
  const timestampMs = wireNumber(media['timestamp'], timestampMsMax)
  if (timestampMs < 0) return malformed('media.timestamp')
  const hasSequence = message['sequenceNumber'] !== undefined
  const sequenceNumber = hasSequence ? wireNumber(message['sequenceNumber'], sequenceNumberMax) : -1
  if (hasSequence && sequenceNumber < 0) return malformed('sequenceNumber')
  const payload = media['payload']
  if (typeof payload !== 'string' || payload === '') return malformed('media.payload')
  const bytes = Buffer.from(payload, 'utf8')
  return { event: 'media', track, timestampMs, sequenceNumber, bytes, payloadStart: 0, payloadEnd: bytes.length }
}

function startMessage(message: Record<string, unknown>): TwilioMessage {
  const start = message['start']
  if (!isObject(start)) return malformed('start without its object')
  const streamSid = text(start['streamSid']) || text(message['streamSid'])
  const named = Array.isArray(start['tracks']) ? start['tracks'].slice(0, 4) : ['inbound']
  const tracks = [...new Set(named.map(wireTrack))].filter((track) => track !== null)
  const format = isObject(start['mediaFormat']) ? start['mediaFormat'] : {}
  const isMulaw8k =
    (format['encoding'] ?? 'audio/x-mulaw') === 'audio/x-mulaw' &&
    Number(format['sampleRate'] ?? 8000) === 8000 &&
    Number(format['channels'] ?? 1) === 1
  const callSid = text(start['callSid'])
  const accountSid = text(start['accountSid'])
  if (streamSid === '' || callSid === '' || accountSid === '') return malformed('start without its SIDs')
  const custom = isObject(start['customParameters']) ? start['customParameters'] : {}
  const keepsNoAudio = custom['voicefw_audio'] === 'none'
  return { event: 'start', streamSid, callSid, accountSid, tracks, isMulaw8k, keepsNoAudio }
}

function malformed(detail: string): TwilioMessage {
  return { event: 'malformed', detail }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A string of at most 256 characters; anything else is empty. */
function text(value: unknown): string {
  return typeof value === 'string' && value.length <= 256 ? value : ''
}

function wireTrack(value: unknown): WireTrack | null {
  if (value === 'inbound' || value === 'inbound_track') return 'inbound'
  return value === 'outbound' || value === 'outbound_track' ? 'outbound' : null
}

/** A whole number within [0, max], written as digits in a string or as a JSON number; -1 for anything else. */
function wireNumber(value: unknown, max: number): number {
  if (typeof value === 'number') return Number.isInteger(value) && value >= 0 && value <= max ? value + 0 : -1
  if (typeof value !== 'string' || !/^\d{1,10}$/.test(value)) return -1
  const number = Number(value)
  return number <= max ? number : -1
}
