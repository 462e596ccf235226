/** Small hooks that redraw a component when something it watches tells of a change. Browser. */
import { useEffect, useLayoutEffect, useState } from 'preact/hooks'

/**
 * Redraws on every call of the listener handed to `subscribe`, which must stay the same function. It listens from the
 * moment of its drawing: an effect would come after the frame, and what was told until then would show with the next
 * change only, which may be a minute away.
 */
export function useTold(subscribe: (listener: () => void) => () => void): void {
  const [, redraw] = useState(0)
  useLayoutEffect(() => subscribe(() => redraw((count) => count + 1)), [subscribe])
}

/** Redraws once a second, for elapsed times. */
export function useEverySecond(): void {
  const [, redraw] = useState(0)
  useEffect(() => {
    const timer = setInterval(() => redraw((count) => count + 1), 1000)
    return () => clearInterval(timer)
  }, [])
}
