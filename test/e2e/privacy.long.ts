/**
 * A full run of the real server with planted secrets and planted numbers: calls, call records good, bad and rejected,
 * questions, webhooks, errors, a worker and a ClickHouse child that die, every GET, every page, the events. In mode
 * tokens nothing of them is in any line, metric, answer, webhook or file; in mode clear no secret is, and no number in
 * lines, metrics and errors.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { SignJWT } from 'jose'
import { WebSocket } from 'ws'
import type { OpenApiDocument } from '../../src/api/openapi.ts'
import { projectRoot } from '../../src/core/project.ts'
import { isToken } from '../../src/wire/number-token.ts'
import { type Said, say } from '../fakes/callers.ts'
import { makeKey } from '../fakes/keys.ts'
import { Needles } from '../fakes/needles.ts'
import { receiver } from '../fakes/notices.ts'
import { childrenOf } from '../fakes/process-tree.ts'
import { wavMulaw } from '../fakes/recordings.ts'
import { filesBelow } from '../fakes/scratch.ts'
import { eventually, type ServerProcess, startServer, testAccount, testPublicUrl } from '../fakes/server-process.ts'
import { randomSid, TwilioCaller } from '../fakes/twilio-caller.ts'

const secrets = {
  twilio: 'planted-twilio-token-5f1c9a',
  jwt: 'planted-jwt-secret-0123456789-abcdefghij',
  webhook: 'planted-webhook-secret-77aa',
}
const [caller, callee, lure] = ['12025550147', '442079460958', '21610195550'] as const
const numbers = [caller, callee, lure]
const settings = { issuer: 'https://id.example.com/', audience: 'voicefw' }

interface Run {
  readonly server: ServerProcess
  readonly admin: Record<string, string>
  readonly ingest: Record<string, string>
  readonly callSid: string
  readonly keys: Record<string, string>
  readonly webhooks: () => string[]
  /** What every GET, page, error and socket answered. */
  readonly answers: { readonly what: string; readonly status: number; readonly text: string }[]
}

async function begin(t: TestContext, mode: 'clear' | 'tokens'): Promise<Run> {
  for (const [name, secret] of Object.entries(secrets)) process.env[`PLANTED_${name.toUpperCase()}`] = secret
  const at = await receiver(t)
  const server = await startServer({
    program: 'dist/test/fakes/faulty-server.js',
    config: {
      logLevel: 'debug',
      privacy: { numbers: mode },
      twilio: {
        accounts: [{ sid: testAccount.sid, authTokens: ['env:PLANTED_TWILIO'], apiBaseUrl: 'http://127.0.0.1:9' }],
      },
      auth: { jwt: { ...settings, algorithms: ['HS256'], secret: 'env:PLANTED_JWT' } },
      cdr: { windows: { latenessMs: 500 } },
      notify: { webhooks: [{ name: 'soc', url: at.url, secrets: ['env:PLANTED_WEBHOOK'], allowPrivate: true }] },
      detection: { voice: { enabled: { rules: [{ name: 'mine', listen: true, from: [caller] }] } } },
    },
  })
  t.after(() => server.end('SIGKILL'))
  const keys = { viewer: makeKey(server, 'viewer'), ingest: makeKey(server, 'ingest') }
  return {
    server,
    keys,
    admin: { authorization: `Bearer ${server.key()}` },
    ingest: { authorization: `Bearer ${keys.ingest}` },
    callSid: randomSid('CA'),
    webhooks: () => at.arrivals.map(({ body, headers }) => `${body} ${JSON.stringify(headers)}`),
    answers: [],
  }
}

async function asked(run: Run, path: string, asking: Parameters<typeof say>[1] = {}): Promise<Said> {
  const said = await say(run.server.url + path, { ...asking, header: { ...run.admin, ...asking.header } })
  const what = `${asking.method ?? 'GET'} ${path}`
  run.answers.push({ what, status: said.status, text: `${said.text} ${JSON.stringify(said.headers)}` })
  return said
}

const json = { 'content-type': 'application/json' }

async function makeCalls(run: Run): Promise<void> {
  const { url } = run.server
  const twilio = new TwilioCaller({
    url,
    publicUrl: testPublicUrl,
    accountSid: testAccount.sid,
    authToken: secrets.twilio,
    from: `+${caller}`,
    to: `+${callee}`,
  })
  const audio = wavMulaw(readFileSync(join(projectRoot, 'fixtures/calls/human-nl-man.wav')))
  const stream = await twilio.stream(run.callSid)
  stream.recording(audio.subarray(0, 48_000))
  await sleep(1500)
  process.kill(run.server.child.pid ?? 0, 'SIGUSR2')
  await sleep(500)
  stream.recording(audio.subarray(48_000, 64_000))
  await sleep(500)
  stream.stop()
  const form = { AccountSid: testAccount.sid, CallSid: run.callSid, From: `+${caller}`, To: `+${callee}` }
  const times = { Timestamp: new Date().toUTCString(), CallDuration: '7', CallStatus: 'completed' }
  const more = { Caller: `+${caller}`, Called: `+${callee}`, ForwardedFrom: `+${caller}`, Direction: 'inbound' }
  assert.equal((await twilio.post('/twilio/call-status', { ...form, ...times, ...more })).status, 204)
  assert.equal((await twilio.post('/twilio/call-status', form, 'a wrong signature')).status, 403)
}

/** One ring at numbers in order, so that people call back: a case about a planted number. */
function lures(): object[] {
  const startUs = (Date.now() - 400_000) * 1000
  return Array.from({ length: 150 }, (_, n) => ({
    id: `lure-${n}-${lure}`,
    startUs: startUs + n * 2_000_000,
    endUs: startUs + n * 2_000_000 + 3_000_000,
    ringMs: 2500,
    from: lure,
    fromRaw: `+${lure}`,
    to: String(4_915_112_340_000 + n),
    ingress: 'transit-a',
    causeQ850: 16,
    releasedBy: 'caller',
  }))
}

async function sendRecords(run: Run): Promise<void> {
  const startUs = Date.now() * 1000 - 60_000_000
  const good = {
    id: `a-${caller}`,
    startUs,
    answerUs: startUs + 4_000_000,
    endUs: startUs + 30_000_000,
    from: caller,
    fromRaw: '"Ann" <sip:(202) 555-0147@192.0.2.1>',
    to: callee,
    toRaw: '0044 20 7946 0958',
    causeRaw: `from ${caller}`,
    attributes: { diversion: `sip:+${callee}@192.0.2.1`, sequence: '17' },
  }
  const bad = [
    { ...good, id: 'b1', from: `+${caller}` },
    { ...good, id: 'b2', from: `(202) 555-0147 x`, startUs: 17 },
    { ...good, id: 'b3', [`field-${caller}`]: 1 },
    `${caller} is no record`,
  ]
  const post = (type: string, body: string, source = 'canonical') =>
    asked(run, `/v1/cdr?source=${source}`, {
      method: 'POST',
      header: { ...run.ingest, 'content-type': type },
      body,
    })
  const said = await post('application/json', JSON.stringify([...lures(), good, ...bad]))
  assert.equal(said.status, 200, said.text)
  assert.ok(JSON.parse(said.text).rejected.length >= 4, said.text)
  const span = '2026-01-01 10:00:00,2026-01-01 10:00:05'
  const csv = `start,end,from,to\n${span},(202) 555-0147,+${callee}\nno time,,${caller},x\n`
  assert.equal((await post('text/csv', csv, 'generic-csv')).status, 200)
  // Waits for its BYE, on disk.
  const invite = {
    method: 'INVITE',
    from_tag: 't',
    to_tag: 'u',
    callid: `c-${caller}`,
    sip_code: '200',
    sip_reason: 'OK',
  }
  const half = { ...invite, time: `${Date.now() / 1000}`, src_user: caller, dst_user: callee, src_ip: '192.0.2.1' }
  assert.equal((await post('application/json', JSON.stringify(half), 'kamailio')).status, 200)
  await post('application/json', `[{"from":"${caller}","to" ${callee}`)
  await post('application/msgpack', `\xc1${caller}`)
  await post('application/xml', `<cdr from="${caller}">`)
  await post('application/json', '[]', `nobody-${caller}`)
  await overSocket(run, { ...good, id: `w-${caller}` })
}

async function overSocket(run: Run, record: object): Promise<void> {
  const socket = new WebSocket(`${run.server.url.replace('http', 'ws')}/v1/cdr?source=canonical`, {
    headers: run.ingest,
  })
  await new Promise((resolve) => socket.once('open', resolve))
  const messages = [
    { seq: 1, events: [record, { from: `+${caller}` }] },
    { ask: 2, from: `+${caller}`, to: `+${callee}` },
    { seq: 'x', events: caller },
  ]
  const heard = new Promise<void>((resolve) => {
    socket.on('message', (text) => run.answers.push({ what: 'WS /v1/cdr', status: 200, text: String(text) }))
    socket.on('close', (code, reason) => {
      run.answers.push({ what: 'WS /v1/cdr', status: code, text: String(reason) })
      resolve()
    })
  })
  for (const message of messages) socket.send(JSON.stringify(message))
  await Promise.race([heard, sleep(1500)])
  socket.terminate()
}

async function provokeErrors(run: Run): Promise<void> {
  const post = (path: string, body: string, header: Record<string, string> = json) =>
    asked(run, path, { method: 'POST', body, header })
  await asked(run, `/v1/nowhere/+${caller}`)
  await asked(run, `/v1/numbers/%2B${caller}abc`)
  await asked(run, `/v1/cases/${caller}`)
  await asked(run, `/v1/calls?cursor=${caller}&limit=${callee}`)
  await asked(run, `/v1/calls/${secrets.webhook}${caller}`)
  await asked(run, '/v1/status', { header: { authorization: `Bearer ${secrets.jwt}` } })
  await asked(run, '/v1/status', { header: { authorization: `Basic ${btoa(`ann:${run.keys['viewer']}x`)}` } })
  await asked(run, `/v1/decisions`, { method: 'POST', header: { ...run.ingest, ...json }, body: `{"from":${caller}` })
  await asked(run, '/v1/decisions', {
    method: 'POST',
    header: { ...run.ingest, ...json },
    body: JSON.stringify({ from: `+${lure}`, to: `+${callee}`, route: 'transit-a' }),
  })
  // Ids come back as they were sent: they are the asker's own.
  await post('/v1/score/cdr', JSON.stringify(lures().map((each, n) => ({ ...each, id: `score-${n}` }))))
  await post('/v1/score/cdr', `{"from":"${caller}`)
  await post('/v1/detections', JSON.stringify({ callSid: `CA${'0'.repeat(21)}${caller}`, track: 'inbound' }))
  await post(`/v1/sql`, `SELECT count() FROM cdrs WHERE from_number = '${caller}'`, { 'content-type': 'text/plain' })
  const rules = { revision: 0, rules: [{ name: 'quiet', listen: false, to: [callee] }] }
  await asked(run, '/v1/detections/rules', { method: 'PUT', header: json, body: JSON.stringify(rules) })
  const token = await new SignJWT({ sub: 'ann', role: 'viewer' })
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuer(settings.issuer)
    .setAudience(settings.audience)
    .setIssuedAt()
    .setExpirationTime('5m')
    .sign(Buffer.from(secrets.jwt))
  assert.equal((await asked(run, '/v1/status', { header: { authorization: `Bearer ${token}` } })).status, 200)
  for (const pid of childrenOf(run.server.child.pid ?? 0)) process.kill(pid, 'SIGKILL')
}

async function everyGet(run: Run): Promise<void> {
  const document = JSON.parse((await asked(run, '/openapi.json')).text) as OpenApiDocument
  const cases = JSON.parse((await asked(run, '/v1/cases')).text).cases as { id: string }[]
  const fill: Record<string, readonly string[]> = {
    callSid: [run.callSid],
    e164: [`%2B${lure}`, caller],
    report: ['traffic', 'quality', 'fraud', 'selfcheck', 'overview'],
  }
  for (const [path, operations] of Object.entries(document.paths)) {
    if (!('get' in operations) || path.startsWith('/twilio/')) continue
    const name = /\{(\w+)\}/.exec(path)?.[1]
    const values = name === undefined ? [''] : (fill[name] ?? [cases[0]?.id ?? 'none'])
    for (const value of values) await asked(run, path.replace(/\{\w+\}/, value))
  }
  await asked(run, `/v1/calls?q=${caller}`)
  await asked(run, '/v1/calls?state=past')
  await asked(run, '/v1/audit?format=ndjson&limit=1000')
  for (const table of [
    'calls',
    'voice_windows',
    'cdrs',
    'cdr_scores',
    'cases',
    'actions',
    'source_quality',
    'source_quality_examples',
  ]) {
    const said = await asked(run, `/v1/sql?query=SELECT+*+FROM+${table}+LIMIT+5000&default_format=JSONEachRow`)
    assert.equal(said.status, 200, `${table}: ${said.text}`)
    assert.ok(said.text.length > 2 || ['actions', 'cdr_scores'].includes(table), `table ${table} is empty`)
  }
  for (const path of ['/', '/readyz', '/openapi']) await asked(run, path)
}

async function allEvents(run: Run, query = ''): Promise<string> {
  const url = `${run.server.url}/v1/events?lastEventId=0${query}`
  const socket = new WebSocket(url.replace('http', 'ws'), { headers: run.admin })
  const texts: string[] = []
  socket.on('message', (text) => texts.push(String(text)))
  const abort = new AbortController()
  const stream = await fetch(url, { headers: run.admin, signal: abort.signal })
  const reader = stream.body?.getReader()
  const read = async (): Promise<void> => {
    for (;;) {
      const chunk = await reader?.read()
      if (chunk === undefined || chunk.done) return
      texts.push(Buffer.from(chunk.value).toString())
    }
  }
  const reading = read().catch(() => undefined)
  await sleep(1500)
  abort.abort()
  socket.terminate()
  await reading
  return texts.join('\n')
}

async function fullRun(t: TestContext, mode: 'clear' | 'tokens'): Promise<{ run: Run; events: string }> {
  const run = await begin(t, mode)
  // Records first: those of calls are newer, and what comes after newer ones is late.
  await sendRecords(run)
  await makeCalls(run)
  const { cases } = await eventually('a case about the planted number', async () => {
    const found = (await run.server.get('/v1/cases')) as { cases: { subject: { value: string } }[] }
    return found.cases.length > 0 ? found : undefined
  })
  assert.ok(
    cases.some(({ subject }) => subject.value.startsWith('2161019')),
    JSON.stringify(cases),
  )
  await eventually('rows in ClickHouse', async () => {
    const said = await say(`${run.server.url}/v1/sql?query=SELECT+count()>150+FROM+cdrs`, { header: run.admin })
    return said.text.trim() === '1' ? true : undefined
  })
  await provokeErrors(run)
  await eventually('ClickHouse to come back', async () => {
    const said = await say(`${run.server.url}/v1/sql?query=SELECT+1`, { header: run.admin })
    return said.status === 200 ? true : undefined
  })
  // Of the audit, which is told by the minute and on its way.
  await sleep(1500)
  await everyGet(run)
  const events = await allEvents(run)
  assert.match(events, /"verdict"/)
  assert.match(events, /"case"/)
  const metrics = await asked(run, '/metrics')
  assert.match(metrics.text, /workers_replaced_total\{reason="threw"\} 1/)
  assert.ok(run.webhooks().length > 0)
  return { run, events }
}

test('nothing of planted secrets and numbers is seen anywhere of a full run with tokens on', async (t) => {
  const { run, events } = await fullRun(t, 'tokens')
  const shown = JSON.parse((await say(`${run.server.url}/v1/numbers/${lure}`, { header: run.admin })).text).number
  assert.ok(isToken(shown), shown)
  // The same doors show it to who may see it, and that is on record.
  for (const path of [
    `/v1/numbers/${shown}?numbers=clear`,
    '/v1/cases?numbers=clear',
    `/v1/calls/${run.callSid}?numbers=clear`,
  ]) {
    const said = await say(run.server.url + path, { header: run.admin })
    assert.ok(
      numbers.some((number) => said.text.includes(number)),
      said.text,
    )
    const viewer = { authorization: `Bearer ${run.keys['viewer']}` }
    assert.equal((await say(run.server.url + path, { header: viewer })).status, 403)
  }
  assert.match(await allEvents(run, '&numbers=clear'), new RegExp(caller))
  const audit = await asked(run, '/v1/audit?action=numbers.clear')
  assert.ok(JSON.parse(audit.text).rows.length >= 4, audit.text)
  const key = run.server.key()
  await run.server.end('SIGTERM')
  const needles = new Needles({ ...secrets, ...run.keys, admin: key }, numbers)
  const files = filesBelow(run.server.dataDir)
  // The configuration is the operator's own list of numbers; the keys are where they belong.
  const kept = ['test.yaml', 'vault-keys.json']
  const found = [
    ...needles.in('output', run.server.output.join('')),
    ...needles.in('events', events),
    ...run.webhooks().flatMap((text) => needles.in('webhook', text)),
    ...run.answers.flatMap(({ what, text }) => needles.in(what, text)),
    ...files
      .filter((file) => !kept.some((name) => file.endsWith(name)))
      .flatMap((file) =>
        (file.endsWith('admin.key') ? new Needles(secrets, numbers) : needles).in(file, readFileSync(file)),
      ),
  ]
  assert.deepEqual(found, [])
  t.diagnostic(`${run.answers.length} answers, ${run.webhooks().length} webhooks, ${files.length} files, nothing found`)
})

test('in mode clear no secret is seen anywhere, and no number in lines, metrics and errors', async (t) => {
  const { run, events } = await fullRun(t, 'clear')
  const key = run.server.key()
  await run.server.end('SIGTERM')
  const hidden = new Needles({ ...secrets, ...run.keys, admin: key }, [])
  const all = new Needles(secrets, numbers)
  const files = filesBelow(run.server.dataDir).filter((file) => !file.endsWith('admin.key'))
  const found = [
    ...all.in('output', run.server.output.join('')),
    ...hidden.in('events', events),
    ...run.webhooks().flatMap((text) => hidden.in('webhook', text)),
    ...run.answers.flatMap(({ what, status, text }) =>
      (status >= 400 || what.endsWith('/metrics') ? all : hidden).in(`${what} ${status}`, text),
    ),
    ...files.flatMap((file) => hidden.in(file, readFileSync(file))),
  ]
  assert.deepEqual(found, [])
})
