import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { playedTwilio } from '../fakes/played-twilio.ts'
import { eventually } from '../fakes/scratch.ts'
import { fakeServer } from '../fakes/twilio-server.ts'

const numbers = { from: '+12025550100', to: '+12025550199' }

describe('a played call', () => {
  it('asks the webhook, streams as its TwiML says, and says its end to stream and status callback', async (t) => {
    const server = await fakeServer()
    t.after(() => server.close())
    const twilio = await playedTwilio(t, server.target.origin)
    const call = await twilio.ring(numbers)
    assert.equal(server.webhooks[0]?.fields.get('From'), '+12025550100')
    await eventually(() => (server.sockets[0]?.texts.length ?? 0) > 5)
    call.end()
    call.end()
    await eventually(() => server.webhooks.length === 2)
    assert.equal(server.webhooks[1]?.fields.get('CallStatus'), 'completed')
    assert.equal(server.webhooks[1]?.fields.get('CallSid'), call.identity.callSid)
    await eventually(() => server.sockets[0]?.closeCode === 1000)
    const kinds = twilio.events.map(({ kind }) => kind)
    assert.deepEqual(kinds, ['placed', 'stream_started', 'stream_stopped', 'ended'])
  })

  it('keeps its streams over a redirect, ends with a Hangup, and outlives streams that break', async (t) => {
    const server = await fakeServer()
    t.after(() => server.close())
    const twilio = await playedTwilio(t, server.target.origin)
    const call = await twilio.ring(numbers)
    call.redirect('<Response><Play>hold.mp3</Play></Response>')
    assert.deepEqual(
      call.streams.map(({ status }) => status),
      ['in-progress'],
    )
    call.breakStreams()
    assert.deepEqual([call.status, call.tracksInUse], ['in-progress', 0])
    await twilio.ringAgain(call)
    assert.equal(call.tracksInUse, 1)
    call.redirect('<Response><Say>goodbye</Say><Hangup/></Response>')
    assert.deepEqual([call.status, call.redirects.length, call.tracksInUse], ['completed', 2, 0])
  })
})
