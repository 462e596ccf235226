/**
 * Calls that we make: HTTP requests to others, each bounded in time and answer. Addresses that are not public are
 * refused unless allowed, after the name was resolved and for the very address that is connected to, so that a name
 * cannot point elsewhere at the second look; redirects are not followed. Failures name the host, never the whole URL:
 * it may hold a secret. Main thread.
 */
import { lookup as systemLookup } from 'node:dns'
import { type ClientRequest, type IncomingMessage, request as plainRequest, type RequestOptions } from 'node:http'
import { request as tlsRequest } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { OperatingError } from '../core/errors.ts'
import { isPublicAddress } from './public-address.ts'

export interface OutwardRequest {
  readonly method: 'GET' | 'POST' | 'PUT'
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  /** From the first look at the name to the end of the answer. */
  readonly timeoutMs: number
  /** Bytes of answer read; 0: the status is enough, the rest is not waited for. */
  readonly answerBytesMax: number
  readonly allowPrivate: boolean
  readonly signal?: AbortSignal
}

export interface OutwardAnswer {
  readonly status: number
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

export type OutwardReason = 'address_refused' | 'timeout' | 'unreachable' | 'answer_too_large' | 'stopped'

/** No answer, and why. */
export class OutwardFailure extends OperatingError {
  readonly reason: OutwardReason

  constructor(reason: OutwardReason, host: string, detail: string) {
    super('outward_failed', `${host}: ${detail}`)
    this.reason = reason
  }
}

/** @throws OutwardFailure */
export type Outward = (request: OutwardRequest) => Promise<OutwardAnswer>

/** A name's addresses that may be called; for `http.request` and for WebSockets. */
export function guardedLookup(allowPrivate: boolean, lookup: typeof systemLookup = systemLookup): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      const addresses = found?.filter(({ address }) => allowPrivate || isPublicAddress(address)) ?? []
      const first = addresses[0]
      if (error !== null) callback(error, '')
      else if (first === undefined) callback(refusal(hostname), '')
      else if (options.all) callback(null, addresses)
      else callback(null, first.address, first.family)
    })
  }
}

/** Literal addresses are not looked up, so they are checked here. @throws OutwardFailure */
export function checkLiteral(url: URL, allowPrivate: boolean): void {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) !== 0 && !allowPrivate && !isPublicAddress(host)) throw refusal(host)
}

function refusal(host: string): OutwardFailure {
  return new OutwardFailure('address_refused', host, 'not a public address, and private ones are not allowed')
}

export function createOutward(lookup: typeof systemLookup = systemLookup): Outward {
  return async (asked) => {
    const url = new URL(asked.url)
    checkLiteral(url, asked.allowPrivate)
    const options: RequestOptions = {
      method: asked.method,
      agent: false,
      headers: {
        ...asked.headers,
        ...(asked.body === undefined ? {} : { 'content-length': String(Buffer.byteLength(asked.body)) }),
      },
      lookup: guardedLookup(asked.allowPrivate, lookup),
    }
    const sent = url.protocol === 'https:' ? tlsRequest(url, options) : plainRequest(url, options)
    return await answerOf(sent, asked, url.hostname)
  }
}

function answerOf(sent: ClientRequest, asked: OutwardRequest, host: string): Promise<OutwardAnswer> {
  return new Promise((resolve, reject) => {
    const fail = (failure: OutwardFailure): void => {
      reject(failure)
      sent.destroy()
    }
    const timer = setTimeout(
      () => fail(new OutwardFailure('timeout', host, `no answer within ${asked.timeoutMs} ms`)),
      asked.timeoutMs,
    )
    const stop = (): void => fail(new OutwardFailure('stopped', host, 'given up'))
    if (asked.signal?.aborted) stop()
    asked.signal?.addEventListener('abort', stop, { once: true })
    sent.on('error', (error) => {
      const known = error instanceof OutwardFailure
      reject(known ? error : new OutwardFailure('unreachable', host, codeOf(error)))
    })
    sent.on('close', () => {
      clearTimeout(timer)
      asked.signal?.removeEventListener('abort', stop)
    })
    sent.on('response', (response) => read(response, asked, host).then(resolve, fail))
    sent.end(asked.body)
  })
}

async function read(response: IncomingMessage, asked: OutwardRequest, host: string): Promise<OutwardAnswer> {
  const { statusCode: status = 0, headers } = response
  if (asked.answerBytesMax === 0) {
    response.destroy()
    return { status, headers, body: Buffer.alloc(0) }
  }
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > asked.answerBytesMax) {
        throw new OutwardFailure('answer_too_large', host, `more than ${asked.answerBytesMax} bytes`)
      }
      chunks.push(chunk)
    }
  } catch (thrown) {
    if (thrown instanceof OutwardFailure) throw thrown
    throw new OutwardFailure('unreachable', host, `the answer broke off: ${codeOf(thrown)}`)
  }
  return { status, headers, body: Buffer.concat(chunks) }
}

/** Codes of the system say enough, and hold no part of a URL. */
function codeOf(thrown: unknown): string {
  const code = (thrown as { code?: unknown }).code
  return typeof code === 'string' ? code : 'connection failed'
}
