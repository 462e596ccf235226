/**
 * Where in the page we are, and the filters, which live in the address too: going back, reloading and handing on a
 * link show the same. Browser.
 */
import { useLayoutEffect, useState } from 'preact/hooks'
import { type Place, placeOf } from './place.ts'

export function usePlace(): Place {
  const [place, setPlace] = useState(() => placeOf(location.hash))
  // Not an effect: it would come after the frame, and miss where somebody goes meanwhile.
  useLayoutEffect(() => {
    const changed = () => {
      setPlace(placeOf(location.hash))
      window.scrollTo(0, 0)
    }
    addEventListener('hashchange', changed)
    return () => removeEventListener('hashchange', changed)
  }, [])
  return place
}

/**
 * Filters that live in the address. A change replaces the address without a step in the history. Only the names of
 * `initial` are read.
 */
export function useQuery<T extends Readonly<Record<string, string>>>(initial: T): [T, (change: Partial<T>) => void] {
  const [query, setQuery] = useState<T>(() => {
    const given = new URLSearchParams(location.hash.split('?')[1] ?? '')
    return Object.fromEntries(Object.entries(initial).map(([name, value]) => [name, given.get(name) ?? value])) as T
  })
  const change = (next: Partial<T>) => {
    const all = { ...query, ...next }
    setQuery(all)
    const said = Object.entries(all).filter(([name, value]) => value !== initial[name])
    const text = new URLSearchParams(said as [string, string][]).toString()
    history.replaceState(null, '', `${location.hash.split('?')[0]}${text === '' ? '' : `?${text}`}`)
  }
  return [query, change]
}
