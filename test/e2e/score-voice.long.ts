/** Recordings over HTTP on the real server: the same answers as the command line, refusals, and counts. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { projectRoot } from '../../src/core/project.ts'
import { say } from '../fakes/callers.ts'
import { wavMulaw } from '../fakes/recordings.ts'
import { type ServerProcess, startServer } from '../fakes/server-process.ts'

let server: ServerProcess

before(async () => {
  server = await startServer()
})
after(() => server?.end('SIGKILL'))

const fixture = (name: string): string => join(projectRoot, 'fixtures/calls', name)

function post(body: Uint8Array | string, type: string, query = '') {
  const header = { authorization: `Bearer ${server.key()}`, 'content-type': type }
  return say(`${server.url}/v1/score/voice${query}`, { method: 'POST', header, body: Buffer.from(body) })
}

describe('POST /v1/score/voice', () => {
  it('answers as `voicefw score` does, WAV or raw, one channel or two', async () => {
    const names = [
      'human-nl-man.wav',
      'synthetic-kokoro-es.wav',
      'stereo-human-nl-piper-en.wav',
      'music-and-human-en.wav',
    ]
    const cli = join(projectRoot, 'dist/src/cli.js')
    const { stdout } = spawnSync(process.execPath, [cli, 'score', '--json', ...names.map(fixture)], {
      encoding: 'utf8',
    })
    const wanted = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    const got: object[] = []
    for (const name of names) {
      const said = await post(readFileSync(fixture(name)), 'audio/wav', `?file=${encodeURIComponent(fixture(name))}`)
      assert.equal(said.status, 200, said.text)
      got.push(...JSON.parse(said.text).channels)
    }
    assert.equal(got.length, 5)
    assert.deepEqual(got, wanted)
    const raw = await post(wavMulaw(readFileSync(fixture(names[0]!))), 'audio/basic')
    assert.deepEqual(JSON.parse(raw.text).channels, [{ ...wanted[0], file: '' }])
  })

  it('says what is wrong with a recording, and counts', async () => {
    const codeOf = async (asked: ReturnType<typeof post>): Promise<[number, string]> => {
      const said = await asked
      return [said.status, JSON.parse(said.text).code]
    }
    assert.deepEqual(await codeOf(post('RIFF?', 'audio/wav')), [400, 'audio_unreadable'])
    assert.deepEqual(await codeOf(post('', 'audio/basic')), [400, 'audio_unreadable'])
    assert.deepEqual(await codeOf(post('x', 'audio/mpeg')), [415, 'media_type_unsupported'])
    const metrics = (await say(`${server.url}/metrics`)).text
    assert.match(metrics, /voicefw_voice_scores_total\{fate="judged"\} 5\n/)
    assert.match(metrics, /voicefw_voice_scores_total\{fate="failed"\} 2\n/)
  })

  it('holds no live call up: the server answers while a long recording is judged', async () => {
    const clip = wavMulaw(readFileSync(fixture('human-nl-man.wav')))
    const hour = Buffer.concat(Array.from({ length: Math.floor(16_000_000 / clip.length) }, () => clip))
    const judged = post(hour, 'audio/basic')
    let slowestMs = 0
    let answers = 0
    let done = false
    void judged.then(() => (done = true))
    while (!done) {
      const beganMs = performance.now()
      await say(`${server.url}/healthz`)
      slowestMs = Math.max(slowestMs, performance.now() - beganMs)
      answers += 1
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    const said = await judged
    assert.equal(said.status, 200, said.text.slice(0, 200))
    assert.ok(answers > 10 && slowestMs < 1000, `${answers} answers, the slowest after ${Math.round(slowestMs)} ms`)
    process.stdout.write(
      `# an upload of ${hour.length} bytes; slowest of ${answers} answers ${Math.round(slowestMs)} ms\n`,
    )
  })
})
