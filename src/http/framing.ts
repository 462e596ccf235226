/**
 * Where a request ends, decided before a byte of its body is read. The server library takes the first of two
 * Content-Length headers and treats what is left as a next request, which is request smuggling behind any proxy that
 * takes the last; and no peer of ours needs Transfer-Encoding. Both are refused here and their connection is closed.
 * Pure, any thread.
 */

/** The headers of one request: names in lower case, repeated ones joined by ", ". */
export class HeaderCollector {
  readonly headers = new Map<string, string>()
  #contentLengths = 0

  add(name: string, value: string): void {
    if (name === 'content-length') this.#contentLengths += 1
    const known = this.headers.get(name)
    this.headers.set(name, known === undefined ? value : `${known}, ${value}`)
  }

  /** What is wrong with the framing, or null (RFC 9112 sections 6.1 and 6.3). */
  framingFault(): string | null {
    if (this.headers.has('transfer-encoding')) return 'Transfer-Encoding is not accepted; send Content-Length'
    if (this.#contentLengths > 1) return 'more than one Content-Length header'
    const length = this.headers.get('content-length')
    if (length !== undefined && !/^\d{1,15}$/.test(length)) return 'Content-Length is not a number'
    return null
  }

  /** Announced length of the body; 0 without the header. */
  contentLength(): number {
    return Number(this.headers.get('content-length') ?? 0)
  }
}
