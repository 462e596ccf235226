import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DemoLines } from '../../src/cli/demo-lines.ts'
import { ManualClock } from '../../src/core/clock.ts'
import { clipOf } from '../../src/simulator/clips.ts'

const clip = clipOf({ name: 'a.wav', truth: 'spoof', about: 'piper, en', inbound: new Uint8Array(160) })

function event(label: string, score: number | null, netSpeechMs: number) {
  return { callSid: 'CA0123456789', track: 'inbound', state: 'live', label, score, provisional: false, netSpeechMs }
}

test('a line falls when the label changes, not when the score moves or a call is yet unheard', () => {
  const lines: string[] = []
  const clock = new ManualClock()
  const demo = new DemoLines({ print: (line) => lines.push(line.replaceAll(/ +/g, ' ').trim()), clock })
  demo.begin('CA0123456789', clip)
  clock.advance(2000)
  demo.verdict(event('insufficient_speech', null, 0))
  demo.verdict(event('likely_synthetic', 0.961, 1500))
  demo.verdict(event('likely_synthetic', 0.984, 2000))
  clock.advance(63_000)
  demo.end('CA0123456789')
  assert.deepEqual(lines, [
    '0:00 CA012345 a.wav truth spoof (piper, en) call begins',
    '0:02 CA012345 a.wav truth spoof (piper, en) likely_synthetic 0.961 1.5 s of speech',
    '1:05 CA012345 a.wav truth spoof (piper, en) call ends likely_synthetic 0.984 2.0 s of speech',
  ])
})

test('calls of others and data that is no verdict leave no line', () => {
  const lines: string[] = []
  const demo = new DemoLines({ print: (line) => lines.push(line), clock: new ManualClock() })
  demo.verdict(event('likely_human', 0.1, 4000))
  demo.verdict({ callSid: 7 })
  demo.verdict(null)
  assert.deepEqual(lines, [])
})

test('a fraud case leaves one line when it opens, with what would be done about it', () => {
  const lines: string[] = []
  const clock = new ManualClock()
  const demo = new DemoLines({ print: (line) => lines.push(line.replaceAll(/ +/g, ' ').trim()), clock })
  const it = {
    id: 'c1',
    kind: 'wangiri',
    subject: { type: 'number', value: '21610195460' },
    score: 0.981,
    calls: 94,
    reasons: [{ code: 'missed', text: '97 % of 94 attempts within 10 min given up while ringing' }],
    action: { intended: 'block', effective: 'allow', shadow: true, expiresAt: null },
  }
  clock.advance(31_000)
  demo.caseChanged({ change: 'opened', case: it })
  demo.caseChanged({ change: 'strengthened', case: it })
  demo.caseChanged({ change: 'opened', case: { kind: 'wangiri' } })
  demo.caseChanged(null)
  assert.deepEqual(lines, [
    '0:31 fraud case wangiri number 21610195460 0.98 94 calls block (shadow) ' +
      '97 % of 94 attempts within 10 min given up while ringing',
  ])
})
