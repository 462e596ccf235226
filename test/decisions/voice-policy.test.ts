/** Rules by literal verdict sequences. A hop is 500 ms; `S` synthetic, `h` human, `?` not enough speech. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RuleConfig } from '../../src/config/actions-schema.ts'
import type { PolicyLook } from '../../src/decisions/policy-conditions.ts'
import type { Label } from '../../src/decisions/verdict-view.ts'
import { Climb, VoicePolicy } from '../../src/decisions/voice-policy.ts'

const call = {
  callSid: 'CA1',
  accountSid: 'AC1',
  from: '+12025550123',
  to: '+442079460123',
  direction: 'inbound',
  stirVerstat: '',
}
const hopMs = 500
const labels: Readonly<Record<string, Label>> = {
  S: 'likely_synthetic',
  h: 'likely_human',
  i: 'inconclusive',
  b: 'benign_automation',
  '?': 'insufficient_speech',
}

function rule(name: string, over: Partial<RuleConfig> = {}): RuleConfig {
  return { name, when: { label: 'likely_synthetic' }, do: 'observe', shadow: false, ...over }
}

function lookAt(label: string, mediaMs: number, over: Partial<PolicyLook> = {}): PolicyLook {
  const risk = { score: 0.9, logOdds: 2.2, parts: [] }
  const speech = { score: 0.9, confidence: 0.8, netSpeechMs: mediaMs, repeatedPhrases: 0 }
  const look = { call, track: 'inbound', nowMs: 0, risk: () => risk, cases: () => [] } as const
  return { ...look, label: labels[label] ?? 'inconclusive', ...speech, mediaMs, ...over }
}

/** `SShS` -> what fired at which hop, from 1: `watch@1 tell@3`. */
function story(rules: readonly RuleConfig[], hops: string, climb = new Climb(), trackId = 1): string {
  const policy = new VoicePolicy({ rules: [...rules], exceptions: [] })
  const fired: string[] = []
  for (const [index, label] of [...hops].entries()) {
    const firings = policy.step(climb, trackId, lookAt(label, (index + 1) * hopMs))
    for (const firing of firings) fired.push(`${firing.rule.name}@${index + 1}`)
  }
  return fired.join(' ')
}

describe('the policy on a track', () => {
  it('fires a rule at the first hop at which it holds, and never again', () => {
    assert.equal(story([rule('watch')], '??SSSShSS'), 'watch@3')
  })

  it('waits until a rule has held for its dwell without a break', () => {
    const tell = rule('tell', { when: { label: 'likely_synthetic', dwellMs: 1000 } })
    assert.equal(story([tell], '?SShSSSS'), 'tell@7', 'hops 5, 6, 7: 1 s from the first to the third')
    assert.equal(story([tell], 'SShSShSSh'), '', 'it never held for a second')
  })

  it('climbs: weaker rules first, each in its time', () => {
    const climb = [
      rule('watch'),
      rule('note', { when: { label: 'likely_synthetic', dwellMs: 500 }, do: { annotate: 'generated' } }),
      rule('tell', { when: { label: 'likely_synthetic', dwellMs: 1500 }, do: 'notify' }),
      rule('hang-up', { when: { label: 'likely_synthetic', dwellMs: 3000 }, do: 'hangup' }),
    ]
    assert.equal(story(climb, '?SSSSSSSSS'), 'watch@2 note@3 tell@5 hang-up@8')
    assert.equal(story(climb, '?SSSSiiiii'), 'watch@2 note@3 tell@5', 'a voice that turns unclear is not hung up')
    assert.equal(story(climb, 'hhhhhhhhhh'), '')
  })

  it('does nothing about a machine by right', () => {
    assert.equal(story([rule('watch'), rule('tell', { do: 'notify' })], '?bbbbbb'), '')
  })

  it('knows what fired when the track comes back as another detection, and begins to wait anew', () => {
    const rules = [rule('watch'), rule('tell', { when: { label: 'likely_synthetic', dwellMs: 1000 }, do: 'notify' })]
    const climb = new Climb()
    assert.equal(story(rules, '?SS', climb, 1), 'watch@2')
    assert.equal(story(rules, 'SSSS', climb, 2), 'tell@3', 'media time of the second detection begins at 0')
  })

  it('says why: each condition, and how long it held', () => {
    const when = { label: 'likely_synthetic', confidenceMin: 0.7, netSpeechMsMin: 1000, dwellMs: 500 } as const
    const policy = new VoicePolicy({ rules: [rule('tell', { when, do: 'notify' })], exceptions: [] })
    const climb = new Climb()
    policy.step(climb, 1, lookAt('S', 1000))
    assert.deepEqual(policy.step(climb, 1, lookAt('S', 1500))[0]?.conditions, [
      'label likely_synthetic',
      'confidence 0.80, at least 0.7',
      '1.5 s of speech, at least 1.0 s',
      'held for 0.5 s, at least 0.5 s',
    ])
  })

  it('asks for risk and cases only where a rule does', () => {
    const policy = new VoicePolicy({ rules: [rule('watch')], exceptions: [] })
    const ask = (): never => {
      throw new Error('nobody asked for it')
    }
    assert.equal(policy.step(new Climb(), 1, lookAt('S', 500, { risk: ask, cases: ask })).length, 1)
  })
})

describe('an exception', () => {
  const who = { track: 'inbound', direction: 'outbound' } as const
  const policy = new VoicePolicy({
    rules: [],
    exceptions: [
      { name: 'screens', why: 'call_screening', firstMs: 10_000, ...who },
      { name: 'greetings', why: 'voicemail', firstMs: 30_000, ...who },
      { name: 'our-bot', why: 'voicebot', from: ['12025550100'] },
      { name: 'at-night', why: 'ivr', to: ['442079460*'], time: { between: '20:00-06:00', zone: 'UTC' } },
    ],
  })
  const noon = Date.UTC(2026, 10, 22, 12)

  it('is found by number, direction, track and time; the one that counts longest', () => {
    assert.equal(policy.exceptionFor(call, 'inbound', noon), null)
    assert.equal(policy.exceptionFor({ ...call, from: '+12025550100' }, 'outbound', noon)?.name, 'our-bot')
    assert.equal(policy.exceptionFor(call, 'inbound', Date.UTC(2026, 10, 22, 23))?.name, 'at-night')
    const out = { ...call, direction: 'outbound-api' }
    assert.deepEqual(policy.exceptionFor(out, 'inbound', noon), {
      name: 'greetings',
      why: 'voicemail',
      untilMs: 30_000,
    })
    assert.equal(policy.exceptionFor(out, 'outbound', noon), null)
    assert.equal(policy.exceptionFor({ ...out, from: '+12025550100' }, 'inbound', noon)?.name, 'our-bot')
  })
})
