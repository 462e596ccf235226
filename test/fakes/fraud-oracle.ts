/** What one detector, on one thread, that is never killed, makes of records: windows of numbers, and its live cases. */
import { loadConfig } from '../../src/config/load.ts'
import { FraudDetector } from '../../src/decisions/fraud-detector.ts'
import { kindOf, WindowView } from '../../src/features/call-windows.ts'
import type { StoredCdr } from '../../src/wire/cdr-row.ts'
import { loadFlashCallScorer } from '../../src/worker/flash-call-scorer.ts'

interface Counts {
  readonly attempts: number
  readonly answered: number
  readonly unanswered: number
  readonly short: number
  readonly blink: number
  readonly talkSeconds: number
  readonly called: number
}

export interface CleanRun {
  /** `kind type value`, sorted. */
  readonly cases: readonly string[]
  readonly late: number
  readonly ahead: number
  windowsOf(number: string): { readonly '1h': Counts; readonly '24h': Counts } | null
}

export async function cleanRun(log: readonly StoredCdr[], windows: { readonly latenessMs: number }): Promise<CleanRun> {
  const { cdr } = loadConfig({ env: {} })
  const { scorer } = await loadFlashCallScorer()
  let ids = 0
  const detector = new FraudDetector({
    config: { ...cdr, windows: { ...cdr.windows, ...windows } },
    scorer,
    newCaseId: () => `clean-${++ids}`,
    onCase: () => undefined,
  })
  for (const { record, receivedMs } of log) {
    detector.record(record, receivedMs)
    await detector.advance()
  }
  await detector.flush()
  const view = new WindowView()
  const counts = (level: number): Counts => {
    detector.windows.countDistinct(view, level)
    const [attempts, answered] = [view.sum(level, 'attempts'), view.sum(level, 'answered')]
    return {
      attempts,
      answered,
      unanswered: attempts - answered,
      short: view.sum(level, 'shortTalk'),
      blink: view.sum(level, 'blink'),
      talkSeconds: Math.round(view.sum(level, 'talkSum')),
      called: Math.min(attempts, Math.round(view.distinctB[level] ?? 0)),
    }
  }
  return {
    cases: detector.cases
      .live()
      .map(({ kind, subject }) => `${kind} ${subject.type} ${subject.value}`)
      .sort(),
    late: detector.late,
    ahead: detector.ahead,
    windowsOf(number) {
      const slot = detector.windows.find(kindOf.number, number)
      if (slot < 0) return null
      detector.windows.read(kindOf.number, slot, detector.cases.nowMs, view)
      return { '1h': counts(2), '24h': counts(3) }
    },
  }
}
