/**
 * A small stand-in for the firewall: answers the webhook with TwiML and keeps every message of its media sockets, with
 * the signatures checked by the `twilio` package. For tests of the simulator.
 */
import assert from 'node:assert/strict'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import twilio from 'twilio'
import { WebSocketServer } from 'ws'
import type { TwilioTarget } from '../../src/simulator/twilio-webhook.ts'

export interface SeenSocket {
  /** Path of the upgrade. */
  readonly path: string
  /** What the twilio package says of the upgrade's signature. */
  readonly signatureValid: boolean
  readonly texts: string[]
  closeCode: number | undefined
}

export interface FakeServer {
  readonly target: TwilioTarget
  /** Fields of each webhook, and what the twilio package says of its signature. */
  readonly webhooks: { fields: ReadonlyMap<string, string>; signatureValid: boolean }[]
  readonly sockets: SeenSocket[]
  close(): Promise<void>
}

export interface FakeServerOptions {
  /** Attributes and children of <Stream>; `track`. */
  readonly track?: string
  readonly parameters?: string
  /** Status of the webhook. */
  readonly status?: number
  /** JSON answer to GET requests by path without query. */
  readonly json?: (path: string, request: IncomingMessage) => unknown
}

const authToken = 'a secret token'
const accountSid = `AC${'0'.repeat(31)}1`
/** What the TwiML names; the simulator must go to the real port all the same. */
const publicUrl = 'https://voice.example.com'

export async function fakeServer(options: FakeServerOptions = {}): Promise<FakeServer> {
  const webhooks: FakeServer['webhooks'] = []
  const sockets: SeenSocket[] = []
  const server = createServer(async (request, response) => {
    if (request.method === 'GET') {
      response.end(JSON.stringify(options.json?.((request.url ?? '').split('?')[0] ?? '', request) ?? {}))
      return
    }
    const fields = new Map(new URLSearchParams(await bodyOf(request)))
    const signature = String(request.headers['x-twilio-signature'])
    const signatureValid = twilio.validateRequest(
      authToken,
      signature,
      publicUrl + request.url,
      Object.fromEntries(fields),
    )
    webhooks.push({ fields, signatureValid })
    const url = `wss://voice.example.com/twilio/media/token-${webhooks.length}`
    response.writeHead(options.status ?? 200, { 'content-type': 'text/xml' })
    response.end(
      '<?xml version="1.0" encoding="UTF-8"?><Response><Start>' +
        `<Stream track="${options.track ?? 'inbound_track'}" url="${url}">` +
        `${options.parameters ?? ''}</Stream></Start><Pause length="60"/></Response>`,
    )
  })
  const media = new WebSocketServer({ server })
  media.on('connection', (socket, request) => {
    const signature = String(request.headers['x-twilio-signature'])
    const url = `wss://voice.example.com${request.url}`
    const seen: SeenSocket = {
      path: request.url ?? '',
      signatureValid: twilio.validateRequest(authToken, signature, url, {}),
      texts: [],
      closeCode: undefined,
    }
    sockets.push(seen)
    socket.on('message', (data, isBinary) => {
      assert.equal(isBinary, false)
      seen.texts.push(data.toString())
    })
    socket.on('close', (code) => {
      seen.closeCode = code
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    target: { origin: `http://127.0.0.1:${port}`, publicUrl, accountSid, authToken },
    webhooks,
    sockets,
    close() {
      for (const client of media.clients) client.terminate()
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  return Buffer.concat(parts).toString()
}
