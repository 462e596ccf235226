/** Rules of the policy's configuration. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ConfigProblems, loadConfig } from '../../src/config/load.ts'

function actionsOf(yaml: Record<string, string>) {
  const env = Object.fromEntries(Object.entries(yaml).map(([key, text]) => [`VOICEFW__ACTIONS__${key}`, text]))
  return loadConfig({ env }).actions
}

function problemsOf(yaml: Record<string, string>): readonly string[] {
  try {
    actionsOf(yaml)
  } catch (thrown) {
    assert.ok(thrown instanceof ConfigProblems)
    return thrown.problems
  }
  return []
}

describe('the policy as configured', () => {
  it('is in shadow as shipped, and hangs up in shadow even when the rest is put in force', () => {
    const { shadow, rules } = loadConfig({ env: {} }).actions
    assert.equal(shadow, true)
    const hardest = rules.filter(
      (rule) => rule.do === 'hangup' || (typeof rule.do === 'object' && 'redirect' in rule.do),
    )
    assert.equal(hardest.length, 1)
    assert.ok(hardest.every((rule) => rule.shadow))
  })

  it('takes numbers as people write them in YAML: with +, bare, quoted, with * for a prefix', () => {
    const { rules } = actionsOf({
      RULES: '[{name: a, when: {from: [+12025550123, 442079460123, "4930*", anonymous, client:alice]}, do: observe}]',
    })
    const numbers = ['12025550123', '442079460123', '4930*', 'anonymous', 'client:alice']
    assert.deepEqual(rules[0]?.when.from, numbers)
  })

  it('reports every bad rule at its place, with what is allowed', () => {
    const text = problemsOf({
      RULES: `[{name: A b, when: {label: fake, from: [abc], time: {between: 9-5, zone: Mars/X}}, do: explode},
        {name: x, when: {}, do: {redirect: {twiml: '<Response><Gather action="/next"/></Response>'}}},
        {name: y, when: {confidenceMin: 2}, do: {redirect: {}}}]`,
      EXCEPTIONS: '[{name: all, why: ivr}]',
    }).join('\n')
    for (const line of [
      /actions\.rules\[0\]\.name: got "A b"/,
      /actions\.rules\[0\]\.when\.label: got "fake"/,
      /actions\.rules\[0\]\.when\.from\[0\]: got "abc"; digits/,
      /actions\.rules\[0\]\.when\.time\.between: got "9-5"/,
      /actions\.rules\[0\]\.when\.time\.zone: got "Mars\/X"; an IANA time zone/,
      /actions\.rules\[0\]\.do: got "explode"; observe, notify/,
      /actions\.rules\[1\]\.do\.redirect\.twiml: .*absolute action URLs/,
      /actions\.rules\[2\]\.when\.confidenceMin: got 2/,
      /actions\.rules\[2\]\.do\.redirect: got \{\}; one of url and twiml/,
      /actions\.exceptions\[0\]: .*excepts every call; say which/,
    ]) {
      assert.match(text, line)
    }
  })

  it('refuses two rules of one name: a name says what fired', () => {
    const problems = problemsOf({ RULES: '[{name: a, when: {}, do: observe}, {name: a, when: {}, do: notify}]' })
    assert.deepEqual(problems, ['actions.rules[1].name: got "a"; names must differ'])
  })

  it('takes inline TwiML with an absolute action URL', () => {
    const twiml = '<Response><Gather action="https://voice.example.com/next"/></Response>'
    assert.deepEqual(problemsOf({ RULES: `[{name: a, when: {}, do: {redirect: {twiml: '${twiml}'}}}]` }), [])
  })
})
