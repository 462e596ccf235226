/**
 * Mail by SMTP; the only importer of nodemailer. A message keeps its Message-ID over attempts, so that a copy sent
 * twice shows as one, and all mails about one call or case are a thread. Replies 4xx and silence are tried again,
 * 5xx is a refusal. Main thread.
 */
import { createHash } from 'node:crypto'
import nodemailer from 'nodemailer'
import type { Outcome } from './courier.ts'
import type { Notice } from './notice.ts'

export interface SmtpConfig {
  readonly host: string
  readonly port: number
  /** `implicit`: TLS from the first byte (465); `starttls`: required; `none`: plain, for a relay on the same host. */
  readonly tls: 'implicit' | 'starttls' | 'none'
  readonly user: string | null
  readonly password: string | null
}

export interface MailTarget {
  readonly from: string
  readonly to: readonly string[]
}

export interface Mail {
  readonly subject: string
  readonly text: string
  readonly notices: readonly Notice[]
}

export class MailSender {
  readonly #transport: ReturnType<typeof transportOf>

  constructor(config: SmtpConfig, timeoutMs: number) {
    this.#transport = transportOf(config, timeoutMs)
  }

  async send(target: MailTarget, mail: Mail): Promise<Outcome> {
    const domain = target.from.replace(/^.*@|[>\s]+$/g, '') || 'voicefw.invalid'
    const idOf = (text: string): string => `<${createHash('sha256').update(text).digest('hex').slice(0, 32)}@${domain}>`
    const [first] = mail.notices
    const thread = mail.notices.length === 1 && first !== undefined ? idOf(first.about) : null
    try {
      await this.#transport.sendMail({
        from: target.from,
        to: [...target.to],
        subject: mail.subject,
        text: mail.text,
        messageId: idOf([target.to.join(), ...mail.notices.map(({ id }) => id)].join()),
        ...(thread === null ? {} : { references: thread, inReplyTo: thread }),
        headers: { 'Auto-Submitted': 'auto-generated' },
      })
      return { state: 'done' }
    } catch (thrown) {
      return outcomeOfError(thrown)
    }
  }

  close(): void {
    this.#transport.close()
  }
}

function transportOf({ host, port, tls, user, password }: SmtpConfig, timeoutMs: number) {
  return nodemailer.createTransport({
    host,
    port,
    secure: tls === 'implicit',
    requireTLS: tls === 'starttls',
    ignoreTLS: tls === 'none',
    ...(user === null ? {} : { auth: { user, pass: password ?? '' } }),
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    dnsTimeout: timeoutMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
}

/** The server's text is left out: it may repeat addresses. */
function outcomeOfError(thrown: unknown): Outcome {
  const { responseCode, code, command } = thrown as { responseCode?: number; code?: string; command?: string }
  const at = command === undefined ? '' : ` at ${command}`
  const isLogin = code === 'EAUTH' || code === 'ENOAUTH'
  if (responseCode !== undefined && responseCode >= 500 && !isLogin) {
    return { state: 'refused', why: `SMTP answered ${responseCode}${at}` }
  }
  const why = responseCode === undefined ? `SMTP ${code ?? 'failed'}${at}` : `SMTP answered ${responseCode}${at}`
  return { state: 'unavailable', why, afterMs: null }
}
