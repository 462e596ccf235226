/**
 * A request body of records: unzipped within a bound on a thread of zlib's pool, then handed out in slices, so that the
 * main thread comes back to its sockets every few milliseconds however large the body is. Main thread.
 */
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { messageOf, OperatingError } from '../core/errors.ts'
import { type CdrFormat, createRecordDecoder, type DecodeOptions, decodeBody, isGzip } from '../wire/cdr-decode.ts'
import type { RawSink } from '../wire/cdr-raw.ts'

/** Hands out the next records; true: there are more. */
export type Feed = (sink: RawSink) => boolean

const sliceBytes = 32_768
const unzip = promisify(gunzip)

/**
 * The body as the sender had it before gzip. `encoding` is the Content-Encoding; a body that begins like gzip is one.
 * @throws OperatingError body_too_large, media_type_unsupported, bad_request
 */
export async function inflatedBody(body: Buffer, encoding: string, bytesMax: number): Promise<Buffer> {
  const name = encoding.trim().toLowerCase()
  const named = name === 'gzip' || name === 'x-gzip'
  if (!named && name !== '' && name !== 'identity') {
    throw new OperatingError('media_type_unsupported', 'Content-Encoding: gzip or none')
  }
  if (!isGzip(body)) {
    if (named && body.length > 0) throw new OperatingError('bad_request', 'Content-Encoding says gzip, the body is not')
    return body
  }
  try {
    return await unzip(body, { maxOutputLength: bytesMax })
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw new OperatingError('body_too_large', `at most ${bytesMax} bytes once unzipped`)
    }
    throw new OperatingError('bad_request', `the body cannot be unzipped: ${messageOf(thrown)}`)
  }
}

/** Hands out a body's records slice by slice. */
export function feedOf(body: Buffer, format: CdrFormat, options: DecodeOptions): Feed {
  if (format === 'json' && body.length <= sliceBytes) return (sink) => feedAtOnce(body, format, options, sink)
  const decoder = createRecordDecoder(format, options)
  let at = 0
  return (sink) => {
    const end = Math.min(body.length, at + sliceBytes)
    decoder.push(body.subarray(at, end), sink)
    at = end
    if (at < body.length) return true
    decoder.end(sink)
    return false
  }
}

function feedAtOnce(body: Buffer, format: CdrFormat, options: DecodeOptions, sink: RawSink): false {
  const { records, problems } = decodeBody(body, format, options, body.length)
  for (const record of records) sink.record(record)
  for (const problem of problems) sink.undecodable(problem)
  return false
}
