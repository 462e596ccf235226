/**
 * Reads one request's body from the server library within its bounds: bytes of this body, bytes of all bodies, and
 * time. Over one of them the body is refused and what came of it is let go. Main thread.
 */
import type { ErrorCode } from '../core/errors.ts'
import { type BodyBudget, BodyCollector } from './body.ts'

/** The part of the library's response that we use. */
interface BodySource {
  onData(listener: (chunk: ArrayBuffer, isLast: boolean) => void): unknown
  onAborted(listener: () => void): unknown
}

export interface BodyReading {
  /** Content-Length; 0 without a body, null when it comes in chunks. */
  readonly announced: number | null
  readonly bytesMax: number
  readonly timeoutMs: number
  readonly budget: BodyBudget
  readonly isOver: () => boolean
  /** Runs `work`; nothing that it throws leaves. */
  readonly guard: (work: () => unknown) => void
  readonly complete: (body: Buffer) => void
  readonly refuse: (code: ErrorCode, detail: string) => void
  readonly aborted: () => void
}

export function readBody(response: BodySource, reading: BodyReading): void {
  const { announced, bytesMax, timeoutMs, budget, guard, isOver } = reading
  const collector = new BodyCollector(bytesMax, budget)
  let timer: NodeJS.Timeout | null = null
  const over = (): void => {
    if (timer !== null) clearTimeout(timer)
    collector.release()
  }
  const refuse = (code: ErrorCode, detail: string): void => {
    over()
    reading.refuse(code, detail)
  }
  const tooLarge = `at most ${bytesMax} bytes`
  if (announced !== null && announced > bytesMax) {
    refuse('body_too_large', tooLarge)
    return
  }
  response.onData((chunk, isLast) => {
    guard(() => {
      if (isOver()) return
      const step = collector.push(chunk, isLast)
      if (step === 'too_large') refuse('body_too_large', tooLarge)
      else if (step === 'over_budget') refuse('capacity_full', 'too many uploads at a time')
      else if (step === 'complete') {
        const whole = collector.body()
        over()
        reading.complete(whole)
      }
    })
  })
  if (announced === 0) return
  response.onAborted(() => {
    over()
    reading.aborted()
  })
  const slow = `a body must be complete within ${timeoutMs} ms`
  timer = setTimeout(() => guard(() => isOver() || refuse('body_too_slow', slow)), timeoutMs)
  timer.unref()
}
