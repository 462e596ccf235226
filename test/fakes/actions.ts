/** Decisions of the policy, plausible where a test does not look. */
import type { ActionRecord } from '../../src/decisions/action-record.ts'
import { callSid, windows } from './calls.ts'

export function actionRecord(over: Partial<ActionRecord> & { conditions?: readonly string[] }): ActionRecord {
  const { conditions = ['label likely_synthetic'], ...rest } = over
  return {
    id: 'act_1',
    callSid: callSid(1),
    accountSid: `AC${'0'.repeat(32)}`,
    track: 'inbound',
    rule: 'hang-up',
    action: 'hangup',
    note: null,
    shadow: rest.state === 'shadow',
    decidedAtMs: Date.UTC(2026, 0, 1, 12),
    evidence: {
      verdict: {
        label: 'likely_synthetic',
        score: 0.94,
        confidence: 0.91,
        provisional: false,
        netSpeechMs: 8200,
        audioMs: 12_000,
        gapMs: 60,
        lostMs: 420,
        duplicates: 1,
        reasons: [{ code: 'score_synthetic', text: 'score 0.94 over 8.2 s of speech, at or above 0.8' }],
      },
      windows: windows([0.9, 0.95, null], { 2: ['music'] }),
      gaps: [{ startMs: 5000, endMs: 5420 }],
      model: { name: 'voice/1', sha256: 'ab'.repeat(32) },
      thresholds: { synthetic: 0.8, human: 0.3 },
      conditions,
      heldMs: 5000,
      risk: {
        score: 0.97,
        logOdds: 3.4,
        parts: [
          { code: 'voice', text: 'the voice scores 0.94: odds x16', logOdds: 2.75 },
          { code: 'stir_none', text: 'nobody attests the number: odds x1.00', logOdds: 0 },
        ],
      },
    },
    hasWayBack: false,
    state: 'done',
    latencyMs: null,
    result: null,
    undoneAtMs: null,
    undoneBy: null,
    ...rest,
  }
}
