/** What an address of the page means: the hash is the address, `#/fraud?kind=irsf`. Pure. Browser. */

export type Place =
  | { readonly page: 'calls' | 'fraud' | 'traffic' | 'models' }
  | { readonly page: 'call' | 'case' | 'number'; readonly id: string }

const singles: readonly [RegExp, 'call' | 'case' | 'number'][] = [
  [/^\/calls\/([\w-]{1,64})$/, 'call'],
  [/^\/fraud\/([\w-]{1,64})$/, 'case'],
  [/^\/numbers\/(\+?[\w~]{1,32})$/, 'number'],
]

/** @param hash as `location.hash` has it. An unknown address is the list of calls. */
export function placeOf(hash: string): Place {
  const path = hash.replace(/^#/, '').split('?')[0] ?? ''
  for (const [pattern, page] of singles) {
    const id = pattern.exec(path)?.[1]
    if (id !== undefined) return { page, id }
  }
  if (path === '/fraud') return { page: 'fraud' }
  if (path === '/models') return { page: 'models' }
  return { page: path === '/traffic' ? 'traffic' : 'calls' }
}
