/**
 * Values of query parameters as ClickHouse's HTTP protocol writes them: a field of TabSeparated. A server takes them as
 * they come; chdb's binding escapes a plain value by itself, so here the field becomes that value. Pure.
 */

const letters: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', '0': '\0' }

/** What chdb must be given, so that its engine reads the field that was sent. */
export function plainParameter(field: string): string | null {
  if (field === '\\N') return null
  // In the texts of an array a quote stays a quote of theirs: doubled it needs no backslash.
  const quote = /^\s*[[({]/.test(field) ? "''" : "'"
  return field.replace(/\\(.)/gs, (_, letter: string) => (letter === "'" ? quote : (letters[letter] ?? letter)))
}
