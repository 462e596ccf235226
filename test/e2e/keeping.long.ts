/**
 * What the real server keeps and lets go of, over its own doors and command line: a number that calls, rings, stands
 * in cases, notices, call records, split rows and defects is erased, and is nowhere: not in a table, a file, an
 * answer, also after a restart, after a kill, and after a backup from before comes back. Its neighbour keeps
 * everything. A backup beside the running server loses nothing that was acknowledged.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { projectRoot } from '../../src/core/project.ts'
import type { CaseView } from '../../src/decisions/case-view.ts'
import { call, post } from '../fakes/cdr-doors.ts'
import { makeKey } from '../fakes/keys.ts'
import { filesBelow, lastingDirectory } from '../fakes/scratch.ts'
import { eventually, type ServerProcess, startServer, testAccount, testPublicUrl } from '../fakes/server-process.ts'
import { type CallerStream, randomSid, TwilioCaller } from '../fakes/twilio-caller.ts'

/** The caller of the tests' Twilio; never given to anybody. */
const erased = '15005550006'
const neighbour = '2215550001'
/** One digit away. */
const adjacent = '15005550007'
/** As they may be found in any text, whatever is around them. */
const spelled = /1[-. ()]{0,3}500[-. ()]{0,3}555[-. ()]{0,3}0006/
const config = {
  cdr: { windows: { latenessMs: 500 }, policy: { shadow: false } },
  notify: {
    webhooks: [
      {
        name: 'soc',
        url: 'http://127.0.0.1:9/hook',
        secrets: ['an end-to-end secret of the tests'],
        allowPrivate: true,
      },
    ],
  },
}

let server: ServerProcess
let stream: CallerStream
let ingest = ''
const root = lastingDirectory()
const callSid = randomSid('CA')

const run = promisify(execFile)

interface Ended {
  readonly code: number
  readonly out: string
}

async function cli(dataDir: string, ...args: string[]): Promise<Ended> {
  const all = [join(projectRoot, 'dist/src/cli.js'), ...args, '--config', join(dataDir, 'test.yaml')]
  try {
    const { stdout, stderr } = await run(process.execPath, all)
    return { code: 0, out: stdout + stderr }
  } catch (thrown) {
    const { code, stdout = '', stderr = '' } = thrown as { code: number; stdout?: string; stderr?: string }
    return { code, out: stdout + stderr }
  }
}

function campaign(from: string, name: string): Record<string, unknown>[] {
  return Array.from({ length: 150 }, (_, n) => {
    const startUs = Math.round((Date.now() - 590_000 + n * 3900) * 1000)
    const times = { startUs, ringUs: startUs, endUs: startUs + 3_400_000 }
    const attributes = { pai: `<sip:+${from}@10.0.0.1>`, other: `+${adjacent}` }
    return call(`${name}-${n}`, {
      from,
      to: `${from === erased ? 4915112 : 4930882}${30_000 + n}`,
      ...times,
      releasedBy: 'caller',
      attributes,
    })
  })
}

async function send(records: readonly object[], source = 'canonical'): Promise<Record<string, unknown>> {
  const body = records.map((record) => JSON.stringify(record)).join('\n')
  const headers = { authorization: `Bearer ${ingest}` }
  const url = `${server.url}/v1/cdr?source=${source}`
  const answer = await eventually('the door to take records', async () => {
    const tried = await post(url, 'application/x-ndjson', body, headers)
    return tried.status === 200 ? tried : undefined
  })
  return answer.body
}

function caseOn(from: string): Promise<CaseView> {
  return eventually(`a case on ${from}`, async () => {
    const { cases } = (await server.get('/v1/cases')) as { cases: CaseView[] }
    return cases.find(({ subject }) => subject.value === from)
  })
}

async function attemptsOf(number: string): Promise<number> {
  const { asCaller } = (await server.get(`/v1/numbers/+${number}`)) as { asCaller: { attempts: number } }
  return asCaller.attempts
}

/** Everything that the API tells, as one text. The profile echoes the number asked for, so it is not among it. */
async function told(): Promise<string> {
  const paths = [
    '/v1/calls',
    `/v1/calls/${callSid}`,
    '/v1/cases',
    '/v1/cases?state=closed',
    '/v1/detections',
    '/metrics',
  ]
  paths.push('/v1/notifications', '/v1/notifications/dead', '/v1/audit?limit=5000', '/v1/status')
  for (const report of ['overview', 'verdicts', 'fraud', 'traffic', 'latency', 'quality'])
    paths.push(`/v1/analytics/${report}`)
  const answers = paths.map(async (path) => {
    const response = await fetch(server.url + path, { headers: { authorization: `Bearer ${server.key()}` } })
    return `${path}: ${await response.text()}`
  })
  return (await Promise.all([...answers, events(), rows()])).join('\n')
}

/** What a subscriber is told from the beginning on. */
async function events(): Promise<string> {
  const ended = new AbortController()
  setTimeout(() => ended.abort(), 700)
  const headers = { authorization: `Bearer ${server.key()}`, 'last-event-id': '0' }
  let text = ''
  try {
    const response = await fetch(`${server.url}/v1/events`, { headers, signal: ended.signal })
    for await (const chunk of response.body ?? []) text += Buffer.from(chunk as Uint8Array).toString()
  } catch {
    // It was cut off on purpose.
  }
  return text
}

/** Every row that analysts can ask for. */
async function rows(): Promise<string> {
  const texts: string[] = []
  for (const table of ['calls', 'cdrs', 'cdr_scores', 'cases', 'actions', 'source_quality_examples']) {
    const headers = { authorization: `Bearer ${server.key()}` }
    const query = encodeURIComponent(`SELECT * FROM ${table} LIMIT 5000 FORMAT JSONEachRow`)
    const response = await fetch(`${server.url}/v1/sql?query=${query}`, { headers })
    const text = await response.text()
    assert.equal(response.status, 200, text)
    texts.push(text)
  }
  return texts.join('\n')
}

/** Empty: ClickHouse has removed it meanwhile. */
function contentOf(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}

/** Files below a directory that hold the number: LMDB's pages, what ClickHouse has replaced, reports, quarantine. */
function filesHolding(directory: string): string[] {
  return filesBelow(directory).filter((path) => spelled.test(contentOf(path)))
}

async function isNowhere(dataDir: string): Promise<void> {
  const found = spelled.exec(await told())
  assert.equal(found, null, `told: ${found?.input.slice(Math.max(0, found.index - 300), found.index + 100)}`)
  assert.deepEqual(filesHolding(dataDir), [])
  assert.equal(await attemptsOf(erased), 0)
}

async function neighbourIsWhole(): Promise<void> {
  assert.equal((await caseOn(neighbour)).subject.value, neighbour)
  assert.deepEqual([await attemptsOf(neighbour), await attemptsOf(adjacent)], [150, 1])
  assert.equal((await rows()).split(`"other":"+${adjacent}"`).length - 1 >= 300, true)
}

before(async () => {
  server = await startServer({ config })
  ingest = makeKey(server, 'ingest')
  // As switches send them: when calls end.
  const both = [...campaign(erased, 'a'), ...campaign(neighbour, 'b')]
  await send(both.sort((one, two) => Number(one['endUs']) - Number(two['endUs'])))
  await send([call('adjacent', { from: adjacent })])
  await send([call('called', { from: '442079460123', to: erased, toRaw: '+1 (500) 555-0006' })])
  // Split rows wait up to hours for the rest of their call; the switch writes national numbers.
  const invite = { method: 'INVITE', from_tag: 'f', to_tag: 't', callid: 'split', sip_code: '200', time: '1767225600' }
  await send([{ ...invite, caller: erased, callee: '442079460123' }], 'opensips')
  await send([{ id: 'bad', callId: 'bad', startUs: 'soon', from: erased }])
  const account = { accountSid: testAccount.sid, authToken: testAccount.token }
  const caller = new TwilioCaller({ url: server.url, publicUrl: testPublicUrl, ...account })
  stream = await caller.stream(callSid)
  await caseOn(erased)
  await caseOn(neighbour)
  await eventually('all records in the table', async () => {
    const counts = [await attemptsOf(erased), await attemptsOf(neighbour)]
    return counts.every((count) => count === 150) ? counts : undefined
  })
})
after(async () => {
  await server?.end('SIGKILL')
})

describe('a server that keeps data', () => {
  const directory = join(root, 'before')

  it('tells of the number before, so that the search finds something', async () => {
    assert.match(await told(), spelled)
    assert.ok(filesHolding(server.dataDir).length > 0)
  })

  it('is backed up while it runs and takes records; each that was acknowledged is in it, once', async () => {
    let [taken, isOver] = [0, false]
    const sending = (async () => {
      while (!isOver) {
        await send([call(`during-${taken}`, { from: '442079460999', startUs: Date.now() * 1000 - 5_000_000 })])
        taken += 1
      }
    })()
    const before = taken
    const { code, out } = await cli(server.dataDir, 'backup', directory, '--url', server.url)
    isOver = true
    await sending
    assert.equal(code, 0, out)
    assert.match(out, /cdrs +\d+/)
    assert.ok(taken > before)
    assert.deepEqual(readdirSync(directory).sort(), ['files', 'log', 'manifest.json', 'tables'])
  })

  it('forgets a number everywhere at once, and nothing of its neighbour', async () => {
    const { code, out } = await cli(server.dataDir, 'erase', '--number', `+${erased}`, '--url', server.url)
    assert.equal(code, 0, out)
    assert.match(out, /table cdrs +151 rows +0 left/)
    assert.match(out, /log cdr +\d+ entries/)
    await isNowhere(server.dataDir)
    await neighbourIsWhole()
  })

  it('tells a live call without it from then on, and its audit still holds', async () => {
    stream.media(Buffer.alloc(160, 0xff))
    const live = (await server.get(`/v1/calls/${callSid}`)) as { from: string; to: string; state: string }
    assert.deepEqual([live.from, live.to, live.state], ['erased', '+15005550001', 'live'])
    const verified = await cli(server.dataDir, 'audit', 'verify', '--url', server.url)
    assert.equal(verified.code, 0, verified.out)
    assert.match(await told(), /number\.erase/)
  })

  it('has forgotten it after a kill, too', async () => {
    const { dataDir } = server
    await server.end('SIGKILL')
    server = await startServer({ dataDir, config })
    await eventually('windows to be read again', async () => {
      const { checks } = (await server.get('/v1/status')) as { checks: Record<string, { state: string }> }
      return checks['fraud']?.state === 'ok' && checks['storage']?.state === 'ok' ? checks : undefined
    })
    await isNowhere(dataDir)
    await neighbourIsWhole()
  })

  it('refuses to restore over what is there, and what is damaged or was cut off', async () => {
    const { dataDir } = server
    assert.match((await cli(dataDir, 'restore', directory)).out, /a server runs/)
    await server.end('SIGTERM')
    assert.match((await cli(dataDir, 'restore', directory)).out, /--replace/)
    const damaged = join(root, 'damaged')
    cpSync(directory, damaged, { recursive: true })
    const file = join(damaged, 'tables/cdrs.ndjson.gz')
    const bytes = readFileSync(file)
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1
    writeFileSync(file, bytes)
    const said = await cli(dataDir, 'restore', damaged, '--replace')
    assert.deepEqual(
      [said.code, /tables\/cdrs\.ndjson\.gz is not what was written/.test(said.out)],
      [1, true],
      said.out,
    )
    rmSync(join(damaged, 'manifest.json'))
    assert.match((await cli(dataDir, 'restore', damaged, '--replace')).out, /cut off/)
  })

  it('a backup from before the erasure comes back without the number, and whole for everybody else', async () => {
    const { dataDir } = server
    const restored = await cli(dataDir, 'restore', directory, '--replace')
    assert.equal(restored.code, 0, restored.out)
    assert.match(restored.out, /1 number\(s\) erased since the backup were erased again/)
    assert.deepEqual(filesHolding(dataDir), [])
    server = await startServer({ dataDir, config })
    await eventually('storage to be up', async () => {
      const { checks } = (await server.get('/v1/status')) as { checks: Record<string, { state: string }> }
      return checks['fraud']?.state === 'ok' && checks['storage']?.state === 'ok' ? checks : undefined
    })
    await isNowhere(dataDir)
    await neighbourIsWhole()
    // Rows on their way were in the log of the backup, the others in its tables.
    const during = await eventually('what came during the backup', async () => {
      const count = await attemptsOf('442079460999')
      return count > 0 ? count : undefined
    })
    const traffic = await rows()
    const ids = [...traffic.matchAll(/"id":"(during-\d+)"/g)].map((match) => match[1])
    assert.equal(new Set(ids).size, during)
    const verified = await cli(dataDir, 'audit', 'verify', '--url', server.url)
    assert.equal(verified.code, 0, verified.out)
  })

  it('is backed up and restored on a machine of its own while none runs', async () => {
    const { dataDir } = server
    await server.end('SIGTERM')
    const cold = join(root, 'cold')
    const written = await cli(dataDir, 'backup', cold)
    assert.equal(written.code, 0, written.out)
    const other = lastingDirectory()
    writeFileSync(join(other, 'test.yaml'), JSON.stringify({ dataDir: other, server: { port: 0 } }))
    const restored = await cli(other, 'restore', cold)
    assert.equal(restored.code, 0, restored.out)
    assert.equal((await cli(other, 'migrate')).code, 0)
    server = await startServer({ dataDir: other, config })
    await neighbourIsWhole()
    await isNowhere(other)
    await server.end('SIGTERM')
    const gone = await cli(other, 'erase', '--number', neighbour)
    assert.equal(gone.code, 0, gone.out)
    server = await startServer({ dataDir: other, config })
    assert.equal(await attemptsOf(neighbour), 0)
  })
})

describe('a number that is known by its token', () => {
  it('is forgotten as token and original, and stays so when an older backup comes back', async () => {
    await server.end('SIGTERM')
    server = await startServer({ config: { ...config, privacy: { numbers: 'tokens' } } })
    const { dataDir } = server
    ingest = makeKey(server, 'ingest')
    await send([call('t-1', { from: erased }), call('t-2', { from: neighbour })])
    const tokenOf = async (id: string): Promise<string> =>
      eventually(
        `record ${id}`,
        async () => new RegExp(`"id":"${id}".*?"from_number":"([^"]+)"`).exec(await rows())?.[1],
      )
    const [token, other] = [await tokenOf('t-1'), await tokenOf('t-2')]
    assert.match(token, /^1500555~/)
    const directory = join(root, 'tokens')
    assert.equal((await cli(dataDir, 'backup', directory, '--url', server.url)).code, 0)
    const gone = await cli(dataDir, 'erase', '--number', erased, '--url', server.url)
    assert.equal(gone.code, 0, gone.out)
    const holding = (): string[] => filesBelow(dataDir).filter((path) => contentOf(path).includes(token))
    assert.deepEqual([(await rows()).includes(token), (await rows()).includes(other), holding()], [false, true, []])
    await server.end('SIGTERM')
    const back = await cli(dataDir, 'restore', directory, '--replace')
    assert.deepEqual([back.code, /1 number\(s\) erased since/.test(back.out)], [0, true], back.out)
    assert.deepEqual(holding(), [])
    server = await startServer({ dataDir, config: { ...config, privacy: { numbers: 'tokens' } } })
    assert.deepEqual([(await rows()).includes(token), (await rows()).includes(other)], [false, true])
  })
})
