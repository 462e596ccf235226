import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import type { ConfigProblems } from '../../src/config/load.ts'
import { mailText, readMessageTemplates, slackText } from '../../src/notify/message-templates.ts'
import { noticeOf } from '../fakes/notices.ts'
import { scratchDirectory } from '../fakes/scratch.ts'

const wording = { numbers: 'masked', publicUrl: 'https://voice.example.com/' } as const

const opened = noticeOf(1, 'case/c1', {
  type: 'case',
  stage: 'opened',
  kind: 'flash_call',
  severity: 'medium',
  data: {
    change: 'opened',
    case: {
      id: 'c1',
      kind: 'flash_call',
      subject: { type: 'number', value: '447700900123' },
      score: 0.973,
      reasons: [{ code: 'short', text: '97 % of 120 calls rang < 3 s; last to 12025550123' }],
      action: { intended: 'label', effective: 'allow', shadow: true },
    },
  },
})
const verdict = noticeOf(2, 'call/CA1', {
  stage: 'inbound/likely_synthetic/firm',
  data: { callSid: 'CA1', track: 'inbound', from: '+12025550123', score: 0.94, reasons: [] },
})

function message(...notices: (typeof opened)[]) {
  return { notices, digest: notices.length > 1, quiet: notices.length > 1, more: 0 }
}

describe('messages', () => {
  it('say in Slack what happened, why, what was done, and where to look', () => {
    const { slack } = readMessageTemplates(null)
    assert.equal(
      slackText(slack, message(opened), wording),
      [
        '*medium* Case opened: flash call, number ***123',
        'Action: label (shadow: nothing was done)',
        '• 97 % of 120 calls rang &lt; 3 s; last to ***123',
        '2026-01-01T00:00:00Z <https://voice.example.com/#/cases/c1|open>',
      ].join('\n'),
    )
  })

  it('say of an action what the policy says of it', () => {
    const text = 'the call was hung up (rule sure): confidence 0.91, at least 0.9'
    const acted = noticeOf(4, 'call/CA1', {
      type: 'action',
      stage: 'inbound/hangup/sure/done',
      kind: 'hangup',
      data: { callSid: 'CA1', action: { action: 'hangup', state: 'done', text } },
    })
    const said = slackText(readMessageTemplates(null).slack, message(acted), wording)
    assert.equal(said.split('\n').slice(0, 2).join(' | '), `*high* Action: ${text} (call/CA1) | Action: hangup`)
  })

  it('say in a mail the same, with a subject of one line', () => {
    const { mail } = readMessageTemplates(null)
    const { subject, text } = mailText(mail, message(verdict), { numbers: 'full', publicUrl: null })
    assert.equal(subject, '[voicefw] high: Synthetic voice likely, firm (inbound, CA1)')
    assert.equal(
      text,
      'Synthetic voice likely, firm (inbound, CA1)\n\nWhen: 2026-01-01T00:00:00Z\nSeverity: high\n' +
        'Subject: CA1\nFrom: +12025550123\nScore: 0.94\n',
    )
    const odd = noticeOf(3, 'health', { type: 'health', kind: '', data: { detail: 'disk\r\nBcc: all@example.com' } })
    const split = mailText(mail, message(odd), wording).subject
    assert.equal(split, '[voicefw] high: Health: disk Bcc: all@example.com')
  })

  it('come as a digest: a line each, fifty at most, the rest counted', () => {
    const { slack } = readMessageTemplates(null)
    const many = Array.from({ length: 70 }, (_, n) => noticeOf(n, `case/${n}`, { ...opened, about: `case/${n}` }))
    const lines = slackText(slack, { ...message(...many), more: 5 }, wording).split('\n')
    assert.equal(lines[0], '*75 notices* from quiet hours')
    assert.equal(lines[1], '• 2026-01-01T00:00:00Z *medium* Case opened: flash call, number ***123')
    assert.deepEqual([lines.length, lines.at(-1)], [52, 'and 25 more'])
  })

  it('can be written anew by the user, one file at a time', (t) => {
    const directory = scratchDirectory(t)
    writeFileSync(`${directory}/slack-notice.txt`, ':rotating_light: {{title}} <!here>')
    const { slack, mail } = readMessageTemplates(directory)
    assert.equal(
      slackText(slack, message(verdict), wording),
      ':rotating_light: Synthetic voice likely, firm (inbound, CA1) <!here>',
    )
    assert.match(mailText(mail, message(verdict), wording).subject, /^\[voicefw\]/)
  })

  it('stop the start with all that is wrong in them', (t) => {
    const directory = scratchDirectory(t)
    writeFileSync(`${directory}/slack-notice.txt`, '{{titel}}')
    writeFileSync(`${directory}/mail-digest.txt`, 'no subject')
    assert.throws(
      () => readMessageTemplates(directory),
      (thrown: ConfigProblems) => {
        assert.equal(thrown.problems.length, 2)
        assert.match(thrown.problems[0] ?? '', /slack-notice\.txt: there is no \{\{titel\}\}; known are action, at/)
        assert.match(thrown.problems[1] ?? '', /mail-digest\.txt: the first line must be "Subject: \.\.\."/)
        return true
      },
    )
    assert.throws(() => readMessageTemplates(`${directory}/nowhere`), /notify\.templatesDir: no directory/)
  })
})
