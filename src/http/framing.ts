/**
 * Where a request ends, decided before a byte of its body is read. The server library takes the first of two
 * Content-Length headers and treats what is left as a next request, which is request smuggling behind any proxy that
 * takes the last; and Transfer-Encoding is needed by the clients of one route alone (ClickHouse's), which takes it as
 * "chunked", once, without a length. All else is refused here and its connection is closed. Pure, any thread.
 */

/** The headers of one request: names in lower case, repeated ones joined by ", ". */
export class HeaderCollector {
  readonly headers = new Map<string, string>()
  #contentLengths = 0
  #encodings = 0

  add(name: string, value: string): void {
    if (name === 'content-length') this.#contentLengths += 1
    if (name === 'transfer-encoding') this.#encodings += 1
    const known = this.headers.get(name)
    this.headers.set(name, known === undefined ? value : `${known}, ${value}`)
  }

  /** What is wrong with the framing, or null (RFC 9112 sections 6.1 and 6.3). */
  framingFault(acceptsChunked = false): string | null {
    if (this.#encodings > 0 && !acceptsChunked) return 'Transfer-Encoding is not accepted; send Content-Length'
    if (this.#encodings > 0 && this.#contentLengths > 0) return 'both Transfer-Encoding and Content-Length'
    // Twice is joined to "chunked, chunked".
    const coding = this.headers.get('transfer-encoding') ?? 'chunked'
    if (coding.toLowerCase() !== 'chunked') return 'Transfer-Encoding is not plainly "chunked"'
    if (this.#contentLengths > 1) return 'more than one Content-Length header'
    const length = this.headers.get('content-length')
    if (length !== undefined && !/^\d{1,15}$/.test(length)) return 'Content-Length is not a number'
    return null
  }

  /** Announced length of the body; 0 without the header, null when it comes in chunks. */
  bodyLength(): number | null {
    return this.#encodings > 0 ? null : Number(this.headers.get('content-length') ?? 0)
  }
}
