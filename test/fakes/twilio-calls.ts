/**
 * The calls resource of Twilio's REST API as documented: Basic auth, form body, JSON answers, `20404` for a call that
 * is gone. Remembers what it was asked and when; can be slow, silent or broken. On a real socket.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface UpdateAsked {
  readonly callSid: string
  readonly form: Readonly<Record<string, string>>
  /** Wall time at which its head was read, ms. */
  readonly atMs: number
}

export interface TwilioCalls {
  readonly url: string
  readonly asked: UpdateAsked[]
  /** What updates are answered: Twilio's own way, an error of its kind, or never. */
  mode: 'well' | 'gone' | 'broken' | 'silent'
  answerMs: number
  close(): void
}

export async function twilioCalls(account: { sid: string; token: string }): Promise<TwilioCalls> {
  const server = createServer((request, response) => void answer(state, account, request, response))
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const state: TwilioCalls = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: [],
    mode: 'well',
    answerMs: 0,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
  return state
}

async function answer(
  state: TwilioCalls,
  account: { sid: string; token: string },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const atMs = Date.now()
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const say = (status: number, body: object): void => {
    const text = JSON.stringify(body)
    response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
    response.end(text)
  }
  const basic = `Basic ${Buffer.from(`${account.sid}:${account.token}`).toString('base64')}`
  if (request.headers.authorization !== basic) return say(401, { code: 20003, message: 'Authenticate', status: 401 })
  const path = new RegExp(`^/2010-04-01/Accounts/${account.sid}/Calls/(CA[0-9a-f]{32})\\.json$`).exec(request.url ?? '')
  const callSid = path?.[1]
  if (request.method !== 'POST' || callSid === undefined) {
    return say(404, { code: 20404, message: 'not found', status: 404 })
  }
  const form = Object.fromEntries(new URLSearchParams(Buffer.concat(chunks).toString()))
  state.asked.push({ callSid, form, atMs })
  if (state.mode === 'silent') return
  if (state.answerMs > 0) await new Promise((resolve) => setTimeout(resolve, state.answerMs))
  if (state.mode === 'gone')
    return say(404, { code: 20404, message: 'The requested resource was not found', status: 404 })
  if (state.mode === 'broken') return say(500, { code: 20500, message: 'Internal Server Error', status: 500 })
  say(200, { sid: callSid, account_sid: account.sid, status: form['Status'] ?? 'in-progress', from: '', to: '' })
}
