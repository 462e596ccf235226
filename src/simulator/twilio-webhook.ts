/**
 * Twilio's side of the webhook: signs a form POST as Twilio does, sends it to `/twilio/voice`, and reads from the
 * TwiML answer where the media stream shall go. What Twilio signs is the public URL; where it is sent is the machine
 * under test.
 */
import { createHmac } from 'node:crypto'
import { messageOf, OperatingError } from '../core/errors.ts'

/** The account that signs, and the server under test. */
export interface TwilioTarget {
  /** http://host:port or https://host:port that is really called. */
  readonly origin: string
  /** The base that signatures are made over: the server's publicUrl. */
  readonly publicUrl: string
  readonly accountSid: string
  readonly authToken: string
}

/** What Twilio says of a call in its webhook. */
export interface CallIdentity {
  readonly callSid: string
  readonly from: string
  readonly to: string
}

/** `<Stream>` of a TwiML answer. */
export interface StreamTwiml {
  readonly url: string
  readonly tracks: readonly ('inbound' | 'outbound')[]
  readonly parameters: Readonly<Record<string, string>>
}

/** With what Twilio needs to report on it; `name` may be empty. */
export interface NamedStream extends StreamTwiml {
  readonly name: string
  readonly statusCallback: string | undefined
}

const answerTimeoutMs = 15_000

/** base64(HMAC-SHA1(token, url + name + value of every field, sorted by name)). */
export function twilioSignature(authToken: string, url: string, fields: Readonly<Record<string, string>>): string {
  const names = Object.keys(fields).sort()
  const signed = url + names.map((name) => name + fields[name]).join('')
  return createHmac('sha1', authToken).update(signed, 'utf8').digest('base64')
}

/** Posts an incoming call. @throws OperatingError when the server does not answer with a stream */
export async function postIncomingCall(target: TwilioTarget, call: CallIdentity): Promise<StreamTwiml> {
  return readStreamTwiml(await postIncomingCallForTwiml(target, call))
}

/** Posts an incoming call and answers the TwiML. @throws OperatingError when the server does not answer with 200 */
export async function postIncomingCallForTwiml(target: TwilioTarget, call: CallIdentity): Promise<string> {
  const fields = {
    AccountSid: target.accountSid,
    ApiVersion: '2010-04-01',
    CallSid: call.callSid,
    CallStatus: 'ringing',
    Called: call.to,
    Caller: call.from,
    Direction: 'inbound',
    From: call.from,
    StirVerstat: 'TN-Validation-Passed-A',
    To: call.to,
  }
  const answer = await post(target, '/twilio/voice', fields)
  if (answer.status !== 200) {
    throw new OperatingError('bad_request', `POST /twilio/voice was answered ${answer.status}`, { got: answer.text })
  }
  return answer.text
}

/** Posts a status callback. @throws OperatingError when nobody answers */
export async function postCallback(
  target: TwilioTarget,
  path: string,
  fields: Readonly<Record<string, string>>,
): Promise<number> {
  return (await post(target, path, fields)).status
}

async function post(
  target: TwilioTarget,
  path: string,
  fields: Readonly<Record<string, string>>,
): Promise<{ status: number; text: string }> {
  const headers = {
    'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
    'user-agent': 'TwilioProxy/1.1',
    'x-twilio-signature': twilioSignature(target.authToken, target.publicUrl + path, fields),
  }
  try {
    const signal = AbortSignal.timeout(answerTimeoutMs)
    const body = new URLSearchParams(fields).toString()
    const response = await fetch(target.origin + path, { method: 'POST', headers, body, signal })
    return { status: response.status, text: await response.text() }
  } catch (thrown) {
    const cause = thrown instanceof Error && thrown.cause !== undefined ? messageOf(thrown.cause) : messageOf(thrown)
    throw new OperatingError('bad_request', `POST ${target.origin}${path}: ${cause}`, { cause: thrown })
  }
}

const tracksOf = {
  inbound_track: ['inbound'],
  outbound_track: ['outbound'],
  both_tracks: ['inbound', 'outbound'],
} as const

/** Reads the first `<Stream>`; attributes in any order. @throws OperatingError when there is none */
export function readStreamTwiml(twiml: string): StreamTwiml {
  const stream = /<Stream\b([^>]*?)(\/>|>([\s\S]*?)<\/Stream>)/.exec(twiml)
  const url = attribute(stream?.[1] ?? '', 'url')
  if (stream === null || url === undefined) {
    throw new OperatingError('bad_request', 'the TwiML has no <Stream url>', { got: twiml.slice(0, 200) })
  }
  const track = (attribute(stream[1] ?? '', 'track') ?? 'inbound_track') as keyof typeof tracksOf
  const parameters: Record<string, string> = {}
  for (const [, attributes] of (stream[3] ?? '').matchAll(/<Parameter\b([^>]*?)\/?>/g)) {
    parameters[attribute(attributes ?? '', 'name') ?? ''] = attribute(attributes ?? '', 'value') ?? ''
  }
  return { url, tracks: tracksOf[track] ?? tracksOf.inbound_track, parameters }
}

/** The same with its name and where its status goes. */
export function readNamedStream(twiml: string): NamedStream {
  const attributes = /<Stream\b([^>]*)>/.exec(twiml)?.[1] ?? ''
  const [name = '', statusCallback] = [attribute(attributes, 'name'), attribute(attributes, 'statusCallback')]
  return { ...readStreamTwiml(twiml), name, statusCallback }
}

function attribute(attributes: string, name: string): string | undefined {
  const value = new RegExp(`(?:^|\\s)${name}\\s*=\\s*("([^"]*)"|'([^']*)')`).exec(attributes)
  return value === null ? undefined : unescapeXml(value[2] ?? value[3] ?? '')
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function unescapeXml(text: string): string {
  return text.replace(/&(#x[0-9a-fA-F]+|#\d+|\w+);/g, (whole, name: string) => {
    if (name.startsWith('#x')) return String.fromCodePoint(Number.parseInt(name.slice(2), 16))
    if (name.startsWith('#')) return String.fromCodePoint(Number.parseInt(name.slice(1), 10))
    return entities[name] ?? whole
  })
}
