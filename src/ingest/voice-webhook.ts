/**
 * Twilio's webhooks. `POST /twilio/voice` answers an incoming call with TwiML that forks its audio to us and goes on;
 * `stream-status` and `call-status` report what became of it. Each is believed only when it is signed, over the
 * configured public URL and never over the Host header, by an account of ours. Main thread.
 */
import type { TwilioConfig } from '../config/schema.ts'
import { type ErrorCode, OperatingError } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import type { Counters } from '../core/metrics.ts'
import type { HttpAnswer, HttpRequest, Route } from '../http/exchange.ts'
import { checkBodySignature, checkFormSignature, type FormFields } from '../wire/twilio-signature.ts'
import { plainTwiml, streamTwiml } from '../wire/twiml.ts'
import { mediaUrl } from './media-socket.ts'
import type { StreamTokens } from './stream-tokens.ts'
import type { CallFacts } from './track.ts'

/** Fields of a webhook; Twilio sends about 40. */
const fieldsMax = 500
const bodyBytesMax = 65_536
/** Call states after which no audio comes. */
const overStatuses: readonly string[] = ['completed', 'busy', 'failed', 'no-answer', 'canceled']

export interface VoiceWebhookOptions {
  readonly twilio: Pick<TwilioConfig, 'accounts' | 'enforceSignature' | 'track' | 'continuation'>
  /** Origin and path prefix as Twilio knows them, e.g. `https://voice.example.com`. */
  readonly publicUrl: () => string
  readonly tokens: StreamTokens
  /** The call is over, says an account of ours. */
  readonly callEnded: (callSid: string, accountSid: string) => void
  /** The call goes on, says an account of ours. */
  readonly callSeen?: (callSid: string, accountSid: string) => void
  /** Whether this call shall be listened to; default: every call. */
  readonly listensTo?: (call: CallFacts) => boolean
  /** A call was answered with a stream of that name. */
  readonly streamOffered?: (call: CallFacts, name: string) => void
  readonly streamStatus?: (status: StreamStatus) => void
  /** A status callback as a call record; resolves once it is durable. */
  readonly callStatus?: (fields: Readonly<Record<string, string>>) => Promise<void>
  /** Told of requests that are not let in. */
  readonly refused?: (request: HttpRequest, code: ErrorCode) => void
  /** The name of a party of a call; default: the number itself. */
  readonly party?: (raw: string) => string
  readonly random: (bytes: number) => Uint8Array
  readonly counters: Counters
  readonly log: Log
}

/** What Twilio says of a stream. `event`: stream-started, stream-stopped or stream-error. */
interface StreamStatus {
  readonly accountSid: string
  readonly callSid: string
  readonly name: string
  readonly event: string
  readonly error: string
}

/** The routes; main.ts adds them to the server. */
export function voiceWebhookRoutes(options: VoiceWebhookOptions): Route[] {
  type Answer = (fields: SignedFields, query: string) => HttpAnswer | Promise<HttpAnswer>
  const route = (pattern: string, answer: Answer): Route => ({
    method: 'POST',
    pattern,
    bodyBytesMax,
    answer: (request) => answer(signedFields(options, request), request.query),
    ...(options.refused === undefined ? {} : { refused: options.refused }),
  })
  return [
    route('/twilio/voice', (fields, query) => voiceAnswer(options, fields, query)),
    route('/twilio/stream-status', (fields) => streamStatus(options, fields)),
    route('/twilio/call-status', (fields) => callStatus(options, fields)),
  ]
}

function streamStatus(options: VoiceWebhookOptions, fields: SignedFields): HttpAnswer {
  const [callSid, streamSid, event] = [fields.get('CallSid'), fields.get('StreamSid'), fields.get('StreamEvent')]
  const error = fields.get('StreamError').slice(0, 200)
  if (event === 'stream-error') {
    options.counters.streamErrors += 1
    options.log.warn('Twilio reports a stream error', { callSid, streamSid, error })
  }
  const [accountSid, name] = [fields.get('AccountSid'), fields.get('StreamName')]
  options.streamStatus?.({ accountSid, callSid, name, event, error })
  return { status: 204 }
}

async function callStatus(options: VoiceWebhookOptions, fields: SignedFields): Promise<HttpAnswer> {
  const isOver = overStatuses.includes(fields.get('CallStatus'))
  const tell = isOver ? options.callEnded : options.callSeen
  tell?.(fields.get('CallSid'), fields.get('AccountSid'))
  await options.callStatus?.(fields.all())
  return { status: 204 }
}

/** `?audio=none` on the webhook's URL, which Twilio's signature covers: no audio of such calls is kept. */
function voiceAnswer(options: VoiceWebhookOptions, fields: SignedFields, query: string): HttpAnswer {
  const callSid = fields.get('CallSid')
  if (!/^CA[0-9a-fA-F]{32}$/.test(callSid)) throw new OperatingError('bad_request', 'CallSid is not a call SID')
  const { party = (raw: string) => raw } = options
  const facts: CallFacts = {
    callSid,
    accountSid: fields.get('AccountSid'),
    from: party(fields.get('From')),
    to: party(fields.get('To')),
    direction: fields.get('Direction'),
    stirVerstat: fields.get('StirVerstat'),
    ...(new URLSearchParams(query).get('audio') === 'none' ? { keepsNoAudio: true } : {}),
  }
  const { continuation, track } = options.twilio
  if (options.listensTo?.(facts) === false) return twimlAnswer(plainTwiml(continuation))
  const publicUrl = options.publicUrl().replace(/\/+$/, '')
  const url = mediaUrl(publicUrl, options.tokens.issue(facts))
  // A call that comes here twice has two streams for a while; a name must not repeat within a call.
  const name = `voicefw-${Buffer.from(options.random(6)).toString('hex')}`
  options.streamOffered?.(facts, name)
  return twimlAnswer(streamTwiml({ url, track, name, statusCallback: streamStatusUrl(publicUrl), continuation }))
}

/** Where Twilio reports on streams. */
export function streamStatusUrl(publicUrl: string): string {
  return `${publicUrl.replace(/\/+$/, '')}/twilio/stream-status`
}

function twimlAnswer(body: string): HttpAnswer {
  return { status: 200, headers: { 'Content-Type': 'text/xml; charset=utf-8' }, body }
}

/** Fields of a request whose signature held. */
class SignedFields {
  readonly #fields: FormFields
  readonly #unsigned: readonly string[]

  constructor(fields: FormFields, unsigned: readonly string[]) {
    this.#fields = fields
    this.#unsigned = unsigned
  }

  /** First value, at most 256 characters of it; empty when it is not there or the signature does not cover it. */
  get(name: string): string {
    return this.#unsigned.includes(name) ? '' : (this.#fields.get(name)?.[0] ?? '').slice(0, 256)
  }

  /** All that the signature covers, first values. */
  all(): Record<string, string> {
    return Object.fromEntries([...this.#fields.keys()].map((name) => [name, this.get(name)]))
  }
}

/** The request's fields, or the refusal that fits. */
function signedFields(options: VoiceWebhookOptions, request: HttpRequest): SignedFields {
  const { counters, twilio } = options
  const isJson = /^application\/json\b/i.test(request.headers.get('content-type') ?? '')
  try {
    const signature = request.headers.get('x-twilio-signature')
    if (twilio.enforceSignature && signature === undefined) {
      throw new OperatingError('signature_missing', 'X-Twilio-Signature is missing')
    }
    const fields = isJson ? jsonFields(request.body) : formFields(request.body)
    if (!twilio.enforceSignature) return new SignedFields(fields, [])
    const account = twilio.accounts.find(({ sid }) => sid === fields.get('AccountSid')?.[0])
    if (account === undefined) throw new OperatingError('account_unknown', 'not an account of this server')
    const query = request.query === '' ? '' : `?${request.query}`
    const url = options.publicUrl().replace(/\/+$/, '') + request.path + query
    const verdict = isJson
      ? checkBodySignature(account.authTokens, signature ?? '', url, request.body)
      : checkFormSignature(account.authTokens, signature ?? '', url, fields)
    if (!verdict.valid) throw new OperatingError('signature_invalid', 'X-Twilio-Signature does not fit this request')
    return new SignedFields(fields, verdict.unsigned)
  } catch (thrown) {
    counters.webhookRefused += 1
    if (thrown instanceof OperatingError) options.refused?.(request, thrown.code)
    throw thrown
  }
}

function formFields(body: Buffer): FormFields {
  const fields = new Map<string, string[]>()
  let count = 0
  for (const [name, value] of new URLSearchParams(body.toString('utf8'))) {
    count += 1
    if (count > fieldsMax) throw new OperatingError('bad_request', `more than ${fieldsMax} fields`)
    const values = fields.get(name)
    if (values) values.push(value)
    else fields.set(name, [value])
  }
  return fields
}

function jsonFields(body: Buffer): FormFields {
  let parsed: unknown
  try {
    parsed = JSON.parse(body.toString('utf8'))
  } catch {
    throw new OperatingError('bad_request', 'the body is not JSON')
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new OperatingError('bad_request', 'the body is not a JSON object')
  }
  return new Map(
    Object.entries(parsed).flatMap(([name, value]) => (typeof value === 'string' ? [[name, [value]]] : [])),
  )
}
