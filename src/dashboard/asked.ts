/** One question to the server, asked when its key changes and, if wished, again and again. Browser. */
import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import { problemText } from './api-client.ts'

export interface Asked<T> {
  /** The newest answer. While another is on its way the old one stays, except for another `key`. */
  readonly value: T | null
  /** Why there is no newer answer. */
  readonly problem: string | null
  readonly again: () => void
}

/** @param everyMs how often to ask again while the page is looked at; null: only when told. */
export function useAsked<T>(key: string, ask: () => Promise<T>, everyMs: number | null): Asked<T> {
  const [state, setState] = useState<{ key: string; value: T | null; problem: string | null }>({
    key,
    value: null,
    problem: null,
  })
  const latest = useRef({ ask, key })
  latest.current = { ask, key }
  const again = useCallback(() => {
    const mine = latest.current.key
    const settle = (change: { value: T; problem: null } | { problem: string }) => {
      if (latest.current.key !== mine) return
      setState((old) => ({ value: old.key === mine ? old.value : null, ...change, key: mine }))
    }
    latest.current.ask().then(
      (value) => settle({ value, problem: null }),
      (thrown) => settle({ problem: problemText(thrown) }),
    )
  }, [])
  // A new key is a new question
  useEffect(() => {
    again()
    if (everyMs === null) return
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible') again()
    }, everyMs)
    return () => clearInterval(timer)
  }, [key, everyMs])
  const current = state.key === key
  return { value: current ? state.value : null, problem: current ? state.problem : null, again }
}
