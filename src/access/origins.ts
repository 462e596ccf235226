/**
 * Which pages may use our sockets and sessions. A browser sends the origin of the page that asks; programs send none.
 * Our own page's origin is that of the URL it was asked under, or of the public URL; others must be named in the
 * configuration. Pure.
 */

export class Origins {
  readonly #allowed: ReadonlySet<string>

  constructor(options: { readonly publicUrl: string | null; readonly browserOrigins: readonly string[] }) {
    const urls = [...options.browserOrigins, ...(options.publicUrl === null ? [] : [options.publicUrl])]
    this.#allowed = new Set(urls.map((url) => new URL(url).origin))
  }

  /** Whether a request with these headers comes from nobody's page or from one that may. */
  permits(headers: ReadonlyMap<string, string>): boolean {
    const origin = headers.get('origin')
    if (origin === undefined || this.#allowed.has(origin)) return true
    const host = headers.get('host')
    return host !== undefined && (origin === `http://${host}` || origin === `https://${host}`)
  }
}
