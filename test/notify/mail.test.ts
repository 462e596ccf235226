import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MailSender } from '../../src/notify/mail.ts'
import { noticeOf } from '../fakes/notices.ts'
import { smtpServer } from '../fakes/smtp-server.ts'

const target = { from: 'voicefw <voicefw@example.com>', to: ['duty@example.com', 'lead@example.com'] }
const mail = { subject: 'Case opened: näh', text: 'why\n', notices: [noticeOf(1, 'case/c1')] }

function smtp(port: number) {
  return { host: '127.0.0.1', port, tls: 'none', user: null, password: null } as const
}

function headerOf(text: string | undefined, name: string): string | undefined {
  return new RegExp(`^${name}: (.*)$`, 'im').exec(text ?? '')?.[1]?.trim()
}

describe('mail', () => {
  it('goes by SMTP to all who are named, with an id that stays over attempts and a thread per case', async (t) => {
    const server = await smtpServer(t)
    const sender = new MailSender(smtp(server.port), 1000)
    assert.deepEqual(await sender.send(target, mail), { state: 'done' })
    await sender.send(target, mail)
    await sender.send(target, { ...mail, notices: [noticeOf(2, 'case/c1')] })
    const [first, again, later] = server.mails
    assert.deepEqual(first?.to, ['RCPT TO:<duty@example.com>', 'RCPT TO:<lead@example.com>'])
    assert.equal(first?.from, 'MAIL FROM:<voicefw@example.com>')
    assert.match(first?.text ?? '', /^Subject: =\?UTF-8\?/m)
    assert.match(headerOf(first?.text, 'message-id') ?? '', /^<[0-9a-f]{32}@example\.com>$/)
    assert.equal(headerOf(again?.text, 'message-id'), headerOf(first?.text, 'message-id'))
    assert.notEqual(headerOf(later?.text, 'message-id'), headerOf(first?.text, 'message-id'))
    assert.equal(headerOf(later?.text, 'references'), headerOf(first?.text, 'references'))
    assert.equal(headerOf(first?.text, 'auto-submitted'), 'auto-generated')
  })

  it('signs in where it is told to', async (t) => {
    const server = await smtpServer(t)
    const seen: string[] = []
    server.reply = (command) => {
      seen.push(command)
      return null
    }
    const sender = new MailSender({ ...smtp(server.port), user: 'u', password: 'p' }, 1000)
    assert.equal((await sender.send(target, mail)).state, 'done')
    assert.ok(seen.includes('AUTH'))
  })

  it('is tried again after 4xx, silence or a wrong password, refused by 5xx, never quotes the server', async (t) => {
    const server = await smtpServer(t)
    const outcome = async (replies: Record<string, string>, user: string | null = null) => {
      server.reply = (command) => replies[command] ?? null
      return await new MailSender({ ...smtp(server.port), user, password: 'p' }, 200).send(target, mail)
    }
    const busy = await outcome({ MAIL: '451 try later, duty@example.com' })
    assert.deepEqual(busy, { state: 'unavailable', why: 'SMTP answered 451 at MAIL FROM', afterMs: null })
    const unknown = await outcome({ RCPT: '550 no duty@example.com here' })
    assert.deepEqual(unknown, { state: 'refused', why: 'SMTP answered 550 at RCPT TO' })
    assert.equal((await outcome({ CONNECT: '' })).state, 'unavailable')
    assert.equal((await outcome({ AUTH: '535 wrong' }, 'u')).state, 'unavailable')
    assert.equal(server.mails.length, 0)
  })

  it('does not go in plain where STARTTLS is asked for', async (t) => {
    const server = await smtpServer(t)
    server.reply = (command) => (command === 'STARTTLS' ? '502 not here' : null)
    const sender = new MailSender({ ...smtp(server.port), tls: 'starttls' }, 500)
    assert.notEqual((await sender.send(target, mail)).state, 'done')
    assert.equal(server.mails.length, 0)
  })
})
