import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { OperatingError } from '../../src/core/errors.ts'
import type { ScoredChannel } from '../../src/worker/recording-scorer.ts'
import { fakeApi } from '../fakes/api.ts'
import { askJson, request } from '../fakes/people.ts'

const verdict: ScoredChannel = {
  file: 'body.wav',
  channel: 0,
  label: 'likely_human',
  score: 0.1,
  confidence: 0.8,
  netSpeechMs: 5000,
  audioMs: 9000,
  windows: [],
  reasons: [],
  model: 'voice/1',
}

function rig(score?: (name: string, body: Uint8Array) => Promise<readonly ScoredChannel[]>) {
  const asked: [string, string][] = []
  const api = fakeApi({
    score:
      score ??
      (async (name, body) => {
        asked.push([name, Buffer.from(body).toString()])
        return [verdict, { ...verdict, channel: 1 }]
      }),
  })
  const post = (type: string, query = '', header: Record<string, string> = api.header) => {
    const all = { ...header, 'content-type': type }
    return askJson(
      api.routes,
      request(`/v1/score/voice${query}`, { method: 'POST', header: all, body: Buffer.from('x') }),
    )
  }
  return { ...api, asked, post }
}

describe('POST /v1/score/voice', () => {
  it('says of each channel what the command line says, under the name that was given', async () => {
    const { post, asked } = rig()
    const { status, body } = await post('audio/wav', '?file=greeting.wav')
    assert.equal(status, 200)
    assert.deepEqual(body['channels'], [
      { ...verdict, file: 'greeting.wav' },
      { ...verdict, file: 'greeting.wav', channel: 1 },
    ])
    assert.deepEqual(asked, [['body.wav', 'x']])
  })

  it('takes WAV and raw mu-law by their media types, and nothing else', async () => {
    const { post, asked } = rig()
    for (const type of ['audio/x-wav', 'Audio/Wave; codecs=1', 'audio/basic', 'audio/PCMU']) {
      assert.equal((await post(type)).status, 200, type)
    }
    assert.deepEqual(
      asked.map(([name]) => name),
      ['body.wav', 'body.wav', 'body.ul', 'body.ul'],
    )
    for (const type of ['', 'audio/mpeg', 'application/octet-stream', 'application/json', 'constructor']) {
      const { status, body } = await post(type)
      assert.deepEqual([status, body['code']], [415, 'media_type_unsupported'], type)
    }
  })

  it('passes on why a recording was not judged', async () => {
    for (const code of ['audio_unreadable', 'capacity_full'] as const) {
      const { post } = rig(async () => Promise.reject(new OperatingError(code, 'because')))
      const { body } = await post('audio/wav')
      assert.deepEqual([body['code'], body['detail']], [code, 'because'])
    }
  })

  it('is for viewers, and refuses unknown parameters', async () => {
    const { post, keys } = rig()
    const ingest = { authorization: `Bearer ${keys.create('ingest', 'switch').key}` }
    assert.equal((await post('audio/wav', '', ingest)).status, 403)
    assert.equal((await post('audio/wav', '', {})).status, 401)
    assert.equal((await post('audio/wav', '?speed=2')).status, 400)
  })
})
