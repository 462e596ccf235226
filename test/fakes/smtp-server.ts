/** An SMTP server (RFC 5321, the few commands a client needs) that keeps what it is sent and can refuse. For tests. */

import type { AddressInfo } from 'node:net'
import { createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'

export interface SmtpServer {
  readonly port: number
  readonly mails: { readonly from: string; readonly to: string[]; readonly text: string }[]
  /** Reply to a command instead of the usual one; null: the usual one; empty: silence. */
  reply: (command: string) => string | null
}

export async function smtpServer(t: TestContext): Promise<SmtpServer> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    serve(socket, state)
  })
  const state: SmtpServer & { port: number } = { port: 0, mails: [], reply: () => null }
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  state.port = (server.address() as AddressInfo).port
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return state
}

function serve(socket: Socket, state: SmtpServer): void {
  let mail = { from: '', to: [] as string[], text: '' }
  let isData = false
  let rest = ''
  const say = (line: string): void => void (line === '' || socket.write(`${line}\r\n`))
  say(state.reply('CONNECT') ?? '220 mail.test ESMTP')
  socket.on('data', (chunk) => {
    rest += chunk.toString()
    for (;;) {
      const end = isData ? rest.indexOf('\r\n.\r\n') : rest.indexOf('\r\n')
      if (end < 0) return
      const part = rest.slice(0, end)
      rest = rest.slice(end + (isData ? 5 : 2))
      if (isData) {
        isData = false
        state.mails.push({ ...mail, text: part })
        mail = { from: '', to: [], text: '' }
        say('250 kept')
        continue
      }
      const command = part.split(/[ :]/)[0]?.toUpperCase() ?? ''
      const other = state.reply(command)
      if (other === null) {
        if (command === 'MAIL') mail.from = part
        if (command === 'RCPT') mail.to.push(part)
        isData = command === 'DATA'
      }
      say(other ?? usual[command] ?? '250 ok')
    }
  })
}

const usual: Readonly<Record<string, string>> = {
  EHLO: '250-mail.test\r\n250 AUTH PLAIN',
  AUTH: '235 welcome',
  DATA: '354 go on',
  QUIT: '221 bye',
}
