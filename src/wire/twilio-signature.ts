/**
 * Checks `X-Twilio-Signature`. Our own, because the `twilio` package never tries the standard port of a wss URL and
 * cannot match a wss URL without a path. Tries each auth token (two while the operator rotates them) and each spelling
 * of the URL that Twilio is known to sign; every comparison takes constant time. Pure, any thread.
 *
 *   signature = base64(HMAC-SHA1(authToken, url + name1 + value1 + name2 + value2 ...))
 *
 * The URL is the one configured at Twilio, query included. Parameters of a form body are sorted by name; a name that
 * comes several times contributes its distinct values, sorted, each behind the name. A JSON body contributes nothing:
 * the URL's query has `bodySHA256=<hex SHA-256 of the body>`, so the URL signs the body. A WebSocket upgrade signs the
 * bare wss URL.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

/** Fields of a form body, in any order: name -> its values. */
export type FormFields = ReadonlyMap<string, readonly string[]>

/** `unsigned`: fields the signature does not cover although the request is Twilio's; do not trust them. */
export type SignatureVerdict =
  | { readonly valid: false }
  | { readonly valid: true; readonly unsigned: readonly string[] }

/** Fields that by some reports are added after signing. */
const addedAfterSigning: readonly string[] = ['CallToken', 'StirVerstat']
const noFields: FormFields = new Map()
const invalid: SignatureVerdict = { valid: false }

/** A form body: `fields` as decoded, untrimmed. */
export function checkFormSignature(
  authTokens: readonly string[],
  signature: string,
  url: string,
  fields: FormFields,
): SignatureVerdict {
  if (matches(authTokens, signature, url, fields)) return { valid: true, unsigned: [] }
  const unsigned = addedAfterSigning.filter((name) => fields.has(name))
  if (unsigned.length === 0) return invalid
  const reduced = new Map([...fields].filter(([name]) => !addedAfterSigning.includes(name)))
  return matches(authTokens, signature, url, reduced) ? { valid: true, unsigned } : invalid
}

/** A JSON body: `url` must carry `bodySHA256`. */
export function checkBodySignature(
  authTokens: readonly string[],
  signature: string,
  url: string,
  body: Uint8Array,
): SignatureVerdict {
  const announced = /[?&]bodySHA256=([0-9a-fA-F]{64})(?:&|#|$)/.exec(url)?.[1]
  if (announced === undefined) return invalid
  const isBody = timingSafeEqual(createHash('sha256').update(body).digest(), Buffer.from(announced, 'hex'))
  return matches(authTokens, signature, url, noFields) && isBody ? { valid: true, unsigned: [] } : invalid
}

/** A WebSocket upgrade: `url` as written in the TwiML. */
export function checkUpgradeSignature(authTokens: readonly string[], signature: string, url: string): boolean {
  return matches(authTokens, signature, url, noFields)
}

/** What Twilio would send; for our simulator. */
export function twilioSignature(authToken: string, url: string, fields: FormFields = noFields): string {
  return digest(authToken, url, fields).toString('base64')
}

function matches(authTokens: readonly string[], signature: string, url: string, fields: FormFields): boolean {
  const got = Buffer.from(signature, 'base64')
  // base64 is read leniently; only the exact spelling counts.
  if (got.length !== 20 || got.toString('base64') !== signature) return false
  const urls = spellings(url)
  let isMatch = false
  for (const token of authTokens) {
    for (const candidate of urls) if (timingSafeEqual(digest(token, candidate, fields), got)) isMatch = true
  }
  return isMatch
}

function digest(authToken: string, url: string, fields: FormFields): Buffer {
  const hmac = createHmac('sha1', authToken).update(url)
  for (const name of [...fields.keys()].sort()) {
    for (const value of [...new Set(fields.get(name))].sort()) hmac.update(name).update(value)
  }
  return hmac.digest()
}

const standardPorts: Readonly<Record<string, string>> = { 'https:': '443', 'wss:': '443', 'http:': '80', 'ws:': '80' }

/**
 * The URL as given, without its port, with its scheme's standard port; each with and without the slash of an empty
 * path.
 */
function spellings(url: string): readonly string[] {
  const parts = /^([a-z]+:)\/\/(\[[^\]]*\]|[^/?#:]*)(:\d+)?(.*)$/is.exec(url)
  if (parts === null) return [url]
  const [, scheme = '', host = '', port = '', rest = ''] = parts
  const standard = standardPorts[scheme.toLowerCase()]
  const ports = [port]
  if (port === '' && standard !== undefined) ports.push(`:${standard}`)
  if (port !== '') ports.push('')
  const rests = rest === '' ? ['', '/'] : rest === '/' ? ['/', ''] : [rest]
  return ports.flatMap((candidate) => rests.map((tail) => `${scheme}//${host}${candidate}${tail}`))
}
