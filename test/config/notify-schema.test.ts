import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { describe, it, type TestContext } from 'node:test'
import { type ConfigProblems, loadConfig } from '../../src/config/load.ts'
import { noticeKinds } from '../../src/config/notify-schema.ts'
import { caseKinds } from '../../src/decisions/fraud-signal.ts'
import { labels } from '../../src/decisions/verdict-view.ts'
import { scratchDirectory } from '../fakes/scratch.ts'

const secret = 'a secret of twenty-four characters'

function load(t: TestContext, notify: object) {
  const file = `${scratchDirectory(t)}/own.yaml`
  writeFileSync(file, JSON.stringify({ notify }))
  return loadConfig({ file, env: { HOOK: secret } }).notify
}

function problemsOf(t: TestContext, notify: object): readonly string[] {
  try {
    load(t, notify)
    return []
  } catch (thrown) {
    return (thrown as ConfigProblems).problems
  }
}

describe('configuration of notify', () => {
  it('tells nobody unless asked, and a webhook everything unless asked for less', (t) => {
    assert.deepEqual(load(t, {}).webhooks, [])
    const [hook] = load(t, {
      webhooks: [{ name: 'soc', url: 'https://soc.example.com/h', secrets: ['env:HOOK'] }],
    }).webhooks
    assert.deepEqual(hook, {
      name: 'soc',
      url: 'https://soc.example.com/h',
      secrets: [secret],
      types: ['verdict', 'case', 'action', 'model', 'health'],
      kinds: [],
      minSeverity: 'info',
      numbers: 'full',
      allowPrivate: false,
    })
  })

  it('knows all labels and case kinds, and no others', () => {
    assert.deepEqual([...noticeKinds].sort(), [...labels, ...caseKinds].sort())
  })

  it('refuses double names, mail without a server, http to the public and impossible hours, all at once', (t) => {
    const duty = { name: 'soc', from: 'a@example.com', to: ['b@example.com'] }
    const hook = { name: 'soc', url: 'http://soc.example.com/h', secrets: [secret] }
    assert.deepEqual(problemsOf(t, { webhooks: [hook], mail: [duty] }), [
      'notify: two receivers are named soc',
      'notify.mail needs notify.smtp',
      'notify: soc is called over http; that is for private addresses (allowPrivate) only',
    ])
    const hours = problemsOf(t, { quietHours: { from: '24:00', to: '7:00', zone: 'Mars/Base' } })
    assert.deepEqual(
      hours.map((problem) => problem.split(':')[0]),
      ['notify.quietHours.from', 'notify.quietHours.to', 'notify.quietHours.zone'],
    )
  })

  it('never repeats a secret or the URL of a Slack channel in a problem', (t) => {
    const problems = problemsOf(t, {
      webhooks: [{ name: 'soc', url: 'https://soc.example.com/', secrets: ['short-secret'] }],
      slack: [{ name: 'chat', webhookUrl: 'hooks.slack.example/T000/B000/secret' }],
    })
    assert.equal(problems.length, 2)
    assert.doesNotMatch(problems.join(), /short-secret|T000/)
  })
})
