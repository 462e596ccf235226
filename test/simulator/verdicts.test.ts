import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '../../src/core/clock.ts'
import { fetchVerdicts } from '../../src/simulator/verdicts.ts'
import { fakeServer } from '../fakes/twilio-server.ts'

function call(callSid: string, state: string) {
  const tracks = [
    { track: 'outbound', label: 'inconclusive', score: 0.5, netSpeechMs: 1, lostMs: 0 },
    { track: 'inbound', label: 'likely_synthetic', score: 0.9, netSpeechMs: 2, lostMs: 0 },
  ]
  return { callSid, state, tracks }
}

test('verdicts are those of the inbound track, of our calls only, once they have ended', async () => {
  let asked = 0
  const json = () => ({ calls: [call('CA1', ++asked < 3 ? 'live' : 'ended'), call('CA9', 'live')], next: null })
  const server = await fakeServer({ json })
  try {
    const query = { origin: server.target.origin, key: 'vf_x', callSids: new Set(['CA1']), clock: systemClock }
    const seen = await fetchVerdicts(query)
    assert.deepEqual(
      [...seen],
      [['CA1', { state: 'ended', label: 'likely_synthetic', score: 0.9, netSpeechMs: 2, lostMs: 0 }]],
    )
    assert.equal(asked, 3)
  } finally {
    await server.close()
  }
})

test('pages are followed by their cursor', async () => {
  const server = await fakeServer({
    json: (_, request) =>
      request.url?.includes('cursor=b')
        ? { calls: [call('CA2', 'ended')], next: null }
        : { calls: [call('CA1', 'ended')], next: 'b' },
  })
  try {
    const callSids = new Set(['CA1', 'CA2'])
    const seen = await fetchVerdicts({ origin: server.target.origin, key: 'vf_x', callSids, clock: systemClock })
    assert.deepEqual([...seen.keys()], ['CA1', 'CA2'])
  } finally {
    await server.close()
  }
})
