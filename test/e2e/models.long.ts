/**
 * Versions of models on the real server, with calls and call records on their way: a swap by the API and by the command
 * line, versions that are refused, a rollback, a candidate beside the active one. One server start for all of it.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { projectRoot } from '../../src/core/project.ts'
import type { ModelView } from '../../src/worker/model-view.ts'
import { call, post } from '../fakes/cdr-doors.ts'
import { makeKey } from '../fakes/keys.ts'
import { wavMulaw } from '../fakes/recordings.ts'
import { lastingDirectory } from '../fakes/scratch.ts'
import { eventually, type ServerProcess, startServer, testAccount, testPublicUrl } from '../fakes/server-process.ts'
import { writeTinyFlashModel } from '../fakes/tiny-flash-model.ts'
import { tinyManifest, tinyOnnx } from '../fakes/tiny-model.ts'
import { randomSid, TwilioCaller } from '../fakes/twilio-caller.ts'

const human = wavMulaw(readFileSync(join(projectRoot, 'fixtures/calls/human-nl-woman.wav')))
const hopBytes = 4000
/** Loading a model takes half a second of CPU, on machines that may be busy. */
const patienceMs = 60_000
const directory = lastingDirectory()
let server: ServerProcess
let caller: TwilioCaller

/** voice/1 and flash_call/1 as shipped; voice/2 and flash_call/tiny computed by hand; two that must not be used. */
function layOut(): void {
  for (const name of ['voice', 'flash_call'])
    cpSync(join(projectRoot, 'models', name, '1'), join(directory, name, '1'), { recursive: true })
  const onnx = tinyOnnx()
  voiceVersion('2', onnx, {})
  voiceVersion('tampered', onnx, { sha256: '0'.repeat(64) })
  const garbage = Buffer.from('no graph at all')
  voiceVersion('garbage', garbage, { sha256: createHash('sha256').update(garbage).digest('hex') })
  writeTinyFlashModel(directory)
  register({ active: '1', previous: null })
}

function voiceVersion(version: string, onnx: Uint8Array, change: object): void {
  const dir = join(directory, 'voice', version)
  mkdirSync(dir, { recursive: true })
  writeFileSync(join(dir, 'model.onnx'), onnx)
  writeFileSync(join(dir, 'manifest.json'), JSON.stringify({ ...tinyManifest(onnx), version, ...change }))
}

function register(voice: object): void {
  const registry = { voice, flash_call: { active: '1', previous: null } }
  writeFileSync(join(directory, 'registry.json'), JSON.stringify(registry))
}

async function ask(path: string, body?: object): Promise<{ status: number; body: Record<string, unknown> }> {
  const { status, body: said } = await post(`${server.url}${path}`, 'application/json', JSON.stringify(body ?? {}), {
    authorization: `Bearer ${server.key()}`,
  })
  return { status, body: said }
}

const metrics = async (): Promise<string> => (await fetch(`${server.url}/metrics`)).text()

async function model(name = 'voice'): Promise<ModelView> {
  const { models } = (await server.get('/v1/models')) as { models: ModelView[] }
  const found = models.find((each) => each.name === name)
  assert.ok(found)
  return found
}

async function sql(query: string): Promise<Record<string, unknown>[]> {
  const said = (await server.get(`/v1/sql?query=${encodeURIComponent(`${query} FORMAT JSON`)}`)) as { data: [] }
  return said.data
}

/** Hops of a call in the table, by the model that judged them. */
async function hopsByModel(callSid: string, hops: number): Promise<Record<string, number>> {
  const rows = await eventually(`${hops} windows of ${callSid}`, async () => {
    const found = await sql(
      `SELECT model, count() AS hops FROM voice_windows WHERE call_sid = '${callSid}' GROUP BY model`,
    )
    const sum = found.reduce((all, row) => all + Number(row['hops']), 0)
    return sum >= hops ? found : undefined
  })
  return Object.fromEntries(rows.map((row) => [String(row['model']), Number(row['hops'])]))
}

const voicefw = (...words: string[]) =>
  promisify(execFile)(process.execPath, [join(projectRoot, 'dist/src/cli.js'), 'models', ...words], {
    env: { ...process.env, VOICEFW__MODELS__DIRECTORY: directory },
  })

describe('models on a running server', () => {
  before(async () => {
    layOut()
    server = await startServer({
      config: {
        // On a busy machine a tick lasts longer than it computes: the budget is a test of its own.
        models: { directory, watchMs: 200, shadow: { cpuShareMax: 4 } },
        cdr: { windows: { latenessMs: 300 } },
        twilio: { track: 'inbound_track' },
      },
    })
    caller = new TwilioCaller({
      url: server.url,
      publicUrl: testPublicUrl,
      accountSid: testAccount.sid,
      authToken: testAccount.token,
    })
  })
  after(() => server?.end('SIGKILL'))

  it('a call that is live at a swap stays with its model, the next is judged by the new one, no hop lost', async () => {
    const [early, late] = [randomSid('CA'), randomSid('CA')]
    const first = await caller.stream(early, ['inbound'])
    let swapped = 0
    const swap = ask('/v1/models/voice/activate', { version: '2' }).finally(() => swapped++)
    // Frames go on, a hop every 0.1 s, while the other model is loaded, and a while after.
    let earlyHops = 0
    for (let left = 10; left > 0; left -= swapped) {
      const at = (earlyHops * hopBytes) % (human.length - hopBytes)
      first.recording(human.subarray(at, at + hopBytes), 'inbound')
      earlyHops += 1
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    assert.equal((await swap).status, 200)
    assert.equal((await model()).serving, 'voice/2')
    const second = await caller.stream(late, ['inbound'])
    second.recording(human, 'inbound')
    first.stop()
    second.stop()
    const hops = Math.floor(human.length / hopBytes)
    assert.deepEqual(await hopsByModel(early, earlyHops), { 'voice/1': earlyHops })
    assert.deepEqual(await hopsByModel(late, hops), { 'voice/2': hops })
    await eventually(
      'the older pool to end',
      async () => ((await model()).tracks?.['voice/1'] ?? null) === null || undefined,
    )
    assert.deepEqual(JSON.parse(readFileSync(join(directory, 'registry.json'), 'utf8'))['voice'], {
      active: '2',
      previous: '1',
      candidate: null,
    })
  })

  for (const [version, why] of [
    ['tampered', /sha256 must be 0{64}/],
    ['garbage', /ONNX file does not load/],
  ] as const) {
    it(`a version whose file is ${version} is refused by the API, and the old one goes on`, async () => {
      const refused = await ask('/v1/models/voice/activate', { version })
      assert.deepEqual([refused.status, refused.body['code']], [409, 'model_refused'])
      assert.match(String(refused.body['detail']), why)
      assert.ok(!JSON.stringify(refused.body).includes(directory), 'no path of the machine')
      assert.equal((await model()).serving, 'voice/2')
    })
  }

  it('a registry that somebody writes by hand is followed if it verifies, else told in /readyz and not', async () => {
    register({ active: 'garbage', previous: '2' })
    await eventually('the refusal', async () => ((await model()).state === 'refused' ? true : undefined), patienceMs)
    const ready = (await server.get('/readyz')) as { status: string; checks: Record<string, { detail: string }> }
    assert.equal(ready.status, 'degraded')
    assert.match(ready.checks['models']?.detail ?? '', /^voice\/garbage was refused, voice\/2 goes on/)
    register({ active: '1', previous: '2' })
    await eventually('voice/1', async () => ((await model()).serving === 'voice/1' ? true : undefined), patienceMs)
    assert.equal((await model()).problem, null)
  })

  it('the command line reaches the running server, and refuses what does not verify', async () => {
    const { stdout } = await voicefw('activate', 'voice', '2')
    assert.match(stdout, /^voice: active 2, previous 1, candidate none$/m)
    await eventually('voice/2', async () => ((await model()).serving === 'voice/2' ? true : undefined), patienceMs)
    await assert.rejects(voicefw('activate', 'voice', 'tampered'), /sha256 must be/)
    await voicefw('rollback', 'voice')
    await eventually('voice/1', async () => ((await model()).serving === 'voice/1' ? true : undefined), patienceMs)
  })

  it('a candidate judges the hops of new calls beside the active model: told, stored and measured', async () => {
    assert.equal((await ask('/v1/models/voice/candidate', { version: '2' })).status, 200)
    const callSid = randomSid('CA')
    const stream = await caller.stream(callSid, ['inbound'])
    stream.recording(human, 'inbound')
    stream.stop()
    const hops = Math.floor(human.length / hopBytes)
    assert.deepEqual(await hopsByModel(callSid, hops), { 'voice/1': hops })
    const shadow = await eventually('hops that both judged', async () => {
      const { shadow: it } = await model()
      return it !== null && it.agreement.compared > 5 && it.agreement.compared === it.judged ? it : undefined
    })
    assert.deepEqual([shadow.active, shadow.candidate, shadow.share], ['voice/1', 'voice/2', 1])
    const rows = await eventually('their rows', async () => {
      const found = await sql(`SELECT s.active_score AS shadowed, w.score AS live FROM shadow_scores AS s
        JOIN voice_windows AS w ON w.call_sid = s.call_sid AND w.end_ms = s.hop_end_ms WHERE s.call_sid = '${callSid}'`)
      return found.length === shadow.agreement.compared ? found : undefined
    })
    for (const row of rows) assert.ok(Math.abs(Number(row['shadowed']) - Number(row['live'])) < 1e-5)
    assert.match(await metrics(), /^voicefw_model_shadow_share\{active="voice\/1",candidate="voice\/2"\} 1$/m)
    assert.match(await metrics(), /^voicefw_model_swaps_total\{outcome="done"\} \d+$/m)
    assert.equal((await ask('/v1/models/voice/candidate', { version: null })).status, 200)
    assert.equal((await model()).shadow, null)
  })

  it('a flash-call model is swapped between batches: no call is lost, each score names its model', async () => {
    const key = makeKey(server, 'ingest')
    await campaign(key, 'trunk-early', '221555', 400)
    await eventually('a case by the old model', () => flashCase('trunk-early', '221555'))
    assert.equal((await ask('/v1/models/flash_call/activate', { version: 'tiny' })).status, 200)
    await campaign(key, 'trunk-late', '221577', 100)
    await eventually('a case by the new model', () => flashCase('trunk-late', '221577'))
    await campaign(key, 'trunk-early', '221555', 60, 20)
    await campaign(key, 'trunk-late', '221577', 20, 20)
    const models = await eventually('scores of both cases', async () => {
      const rows = await sql(`SELECT extract(id, 'trunk-[a-z]+') AS route, argMin(model, scored_at) AS first,
        groupUniqArray(model) AS all FROM cdr_scores WHERE kind = 'flash_call' GROUP BY route`)
      return rows.length === 2 ? new Map(rows.map((row) => [row['route'], row])) : undefined
    })
    // The new model may say more of an old case; until then its score is the old one's.
    assert.equal(models.get('trunk-early')?.['first'], 'flash_call/1')
    assert.deepEqual(models.get('trunk-late')?.['all'], ['flash_call/tiny'])
    const all = new RegExp(`^voicefw_fraud_calls_total ${2 * campaignCalls + 40}$`, 'm')
    await eventually('every call to be judged', async () => all.test(await metrics()) || undefined)
  })

  it('who changed what is in the audit, refusals too', async () => {
    const rows = await eventually('audit rows', async () => {
      const said = (await server.get('/v1/audit?limit=500')) as { rows: { action: string; result: string }[] }
      const found = said.rows.filter(({ action }) => action.startsWith('model.'))
      return found.length >= 6 ? found : undefined
    })
    const told = new Set(rows.map(({ action, result }) => `${action} ${result}`))
    assert.deepEqual([...told].sort(), ['model.activate ok', 'model.activate refused', 'model.candidate ok'])
  })
})

const campaignCalls = 300

interface CaseTold {
  readonly id: string
  readonly kind: string
  readonly subject: { readonly value: string }
}

/** On the route, or on the range that calls over it. */
async function flashCase(route: string, range: string): Promise<CaseTold | undefined> {
  const { cases } = (await server.get('/v1/cases')) as { cases: CaseTold[] }
  return cases.find(
    ({ kind, subject }) => kind === 'flash_call' && [route, range].some((part) => subject.value.includes(part)),
  )
}

/** One short ring from a number of a range that rotates, to a person each, 0.9 s apart, the last one a while ago. */
async function campaign(key: string, route: string, range: string, agoS: number, count = campaignCalls): Promise<void> {
  const records = Array.from({ length: count }, (_, n) => {
    const startUs = Math.round((Date.now() - agoS * 1000 - (count - n) * 900) * 1000)
    return call(`${route}-${count}-${n}`, {
      from: `${range}${String((n * 7919) % 100_000).padStart(5, '0')}`,
      to: `4915${String((n * 7_368_787) % 100_000_000).padStart(8, '0')}`,
      ingress: route,
      startUs,
      ringUs: startUs + 300_000,
      endUs: startUs + 1_200_000,
      releasedBy: 'caller',
    })
  })
  const body = records.map((record) => JSON.stringify(record)).join('\n')
  const headers = { authorization: `Bearer ${key}` }
  const answer = await post(`${server.url}/v1/cdr?source=canonical`, 'application/x-ndjson', body, headers)
  assert.equal(answer.body['accepted'], count, JSON.stringify(answer))
}
