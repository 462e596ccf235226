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
