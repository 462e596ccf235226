/**
 * Browsers send a page's origin with every WebSocket they open, and the cookies of its target with it, whoever wrote
 * the page. So a socket with an `Origin` is taken only from our own pages; programs send none. Pure. Main thread.
 */

/** True: no browser is asking, or one of our own pages is. `publicUrl`: as the configuration has it, or null. */
export function isOwnOrigin(headers: ReadonlyMap<string, string>, publicUrl: string | null): boolean {
  const origin = headers.get('origin')
  if (origin === undefined) return true
  const asked = parse(origin)
  if (asked === null) return false
  if (publicUrl !== null && parse(publicUrl)?.origin === asked.origin) return true
  return asked.host === headers.get('host')?.toLowerCase()
}

function parse(text: string): URL | null {
  return URL.canParse(text) ? new URL(text) : null
}
