/**
 * Writes the TwiML that forks a call's audio to us and lets the call go on. `<Start><Stream>` is one-way: when this
 * server dies, the call lives. Pure, any thread.
 */

export interface StreamTwiml {
  /** wss URL with a path and without a query (Twilio strips queries). */
  readonly url: string
  readonly track: 'inbound_track' | 'outbound_track' | 'both_tracks'
  /** Unique within the call. */
  readonly name: string
  /** Where Twilio reports stream-started, stream-stopped and stream-error. */
  readonly statusCallback: string
  /** TwiML verbs that follow, verbatim; without one Twilio hangs up. */
  readonly continuation: string
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
}

/**
 * `<?xml version="1.0" encoding="UTF-8"?><Response><Start><Stream url="wss://voice.example.com/twilio/media/k3..."
 * track="inbound_track" name="voicefw-1a2b" statusCallback="https://voice.example.com/twilio/stream-status"/></Start>
 * <Pause length="3600"/></Response>`, in one line
 */
export function streamTwiml(stream: StreamTwiml): string {
  const { url, track, name, statusCallback } = stream
  const attributes = Object.entries({ url, track, name, statusCallback })
    .map(([key, value]) => ` ${key}="${escapeXml(value)}"`)
    .join('')
  return plainTwiml(`<Start><Stream${attributes}/></Start>${stream.continuation}`)
}

/** The call goes on as configured and nobody listens. `continuation`: TwiML verbs, verbatim. */
export function plainTwiml(continuation: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?><Response>${continuation}</Response>`
}

/** Text for an attribute or an element. Characters that XML 1.0 cannot carry become U+FFFD. */
export function escapeXml(text: string): string {
  return text
    .replace(/[&<>"']/g, (character) => entities[character] ?? character)
    .replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '\uFFFD')
}
