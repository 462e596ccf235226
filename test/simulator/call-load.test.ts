import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '../../src/core/clock.ts'
import { newSid, runCallLoad } from '../../src/simulator/call-load.ts'
import { speechLikeClip } from '../../src/simulator/clips.ts'
import { seededRandom } from '../../src/simulator/seeded-random.ts'
import { fakeServer } from '../fakes/twilio-server.ts'

const clips = [speechLikeClip(seededRandom(1), 2)]

test('every stream of a load delivers all its frames, each call under its own id', async () => {
  const server = await fakeServer()
  try {
    const report = await runCallLoad({
      target: server.target,
      streams: 8,
      seconds: 1,
      clips,
      faultSeed: undefined,
      clock: systemClock,
      progress: () => {},
    })
    assert.equal(report.counts.placed, 8)
    assert.equal(report.counts.mediaMessages, 8 * 50)
    assert.equal(new Set(report.calls.map((call) => call.callSid)).size, 8)
    const frames = server.sockets.map(
      (socket) => socket.texts.filter((text) => text.includes('"event":"media"')).length,
    )
    assert.deepEqual(frames, new Array<number>(8).fill(50))
    assert.ok(server.sockets.every((socket) => socket.signatureValid))
    assert.deepEqual(report.counts.closedByServer, {})
  } finally {
    await server.close()
  }
})

test('refused calls are counted by reason and do not hinder the run', async () => {
  const server = await fakeServer({ status: 503 })
  try {
    const options = { target: server.target, streams: 3, seconds: 1, clips, clock: systemClock, progress: () => {} }
    const report = await runCallLoad({ ...options, faultSeed: 1 })
    assert.deepEqual(report.counts.refused, { 'POST /twilio/voice was answered 503': 3 })
    assert.equal(report.counts.placed, 0)
  } finally {
    await server.close()
  }
})

test('ids look like those of Twilio and never repeat', () => {
  const sids = Array.from({ length: 100 }, () => newSid('CA'))
  assert.equal(new Set(sids).size, 100)
  for (const sid of sids) assert.match(sid, /^CA[0-9a-f]{32}$/)
})
