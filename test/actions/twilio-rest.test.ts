/** The client against a played Twilio that speaks the documented forms. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { playedAccount, playedTwilio, restTo } from '../fakes/played-twilio.ts'

const { accountSid } = playedAccount
const order = {
  url: 'wss://voice.example.com/twilio/media/token',
  track: 'inbound_track',
  name: 'voicefw-1',
  statusCallback: 'https://voice.example.com/twilio/stream-status',
} as const
const numbers = { from: '+12025550100', to: '+12025550199' }

describe('a request to Twilio', () => {
  it('starts and stops streams, reads, redirects and hangs up calls in the documented forms', async (t) => {
    const twilio = await playedTwilio(t)
    const { rest, counters, seconds } = restTo(`${twilio.url}/`)
    const call = twilio.place(numbers)
    const { callSid } = call.identity
    const { streamSid } = await rest.startStream(accountSid, callSid, order)
    assert.match(streamSid, /^MZ[0-9a-f]{32}$/)
    assert.deepEqual(await rest.fetchCall(accountSid, callSid), {
      status: 'in-progress',
      ...numbers,
      direction: 'inbound',
    })
    await rest.stopStream(accountSid, callSid, 'voicefw-1')
    await rest.updateCall(accountSid, callSid, { twiml: '<Response><Say>hello</Say></Response>' })
    await rest.updateCall(accountSid, callSid, { status: 'completed' })
    const path = `/2010-04-01/Accounts/${accountSid}/Calls/${callSid}`
    assert.deepEqual(
      twilio.requests.map((request) => [request.method, request.path, request.form, request.status]),
      [
        [
          'POST',
          `${path}/Streams.json`,
          { Url: order.url, Track: order.track, Name: order.name, StatusCallback: order.statusCallback },
          201,
        ],
        ['GET', `${path}.json`, {}, 200],
        ['POST', `${path}/Streams/voicefw-1.json`, { Status: 'stopped' }, 200],
        ['POST', `${path}.json`, { Twiml: '<Response><Say>hello</Say></Response>' }, 200],
        ['POST', `${path}.json`, { Status: 'completed' }, 200],
      ],
    )
    assert.equal(call.status, 'completed')
    assert.equal(counters.twilioDone, 5)
    assert.equal(seconds.length, 5)
  })

  it('is tried again after 429, 5xx, silence and a broken connection, and then succeeds', async (t) => {
    const twilio = await playedTwilio(t)
    const { callSid } = twilio.place(numbers).identity
    const troubles = [
      { kind: 'answer', status: 429, code: 20429, message: 'Too Many Requests' },
      { kind: 'answer', status: 503, code: 20503, message: 'Service Unavailable' },
      { kind: 'silence' },
      { kind: 'reset' },
      { kind: 'garbage', status: 502 },
    ] as const
    for (const trouble of troubles) {
      const { rest, counters } = restTo(twilio.url, { limits: { timeoutMs: 200 } })
      twilio.trouble({ ...trouble, times: 2 })
      assert.equal((await rest.fetchCall(accountSid, callSid)).status, 'in-progress', trouble.kind)
      assert.equal(counters.twilioRetried, 2, trouble.kind)
    }
  })

  it('is not tried again when that cannot help', async (t) => {
    const twilio = await playedTwilio(t)
    const { callSid } = twilio.place(numbers).identity
    const { rest, counters } = restTo(twilio.url)
    twilio.trouble({ kind: 'answer', status: 400, code: 21609, message: 'Invalid Url', times: 1 })
    await assert.rejects(rest.startStream(accountSid, callSid, order), { code: 'twilio_rejected' })
    await assert.rejects(rest.fetchCall(accountSid, `CA${'0'.repeat(32)}`), { code: 'call_over', twilioCode: 20404 })
    twilio.call(callSid)?.end()
    await assert.rejects(rest.updateCall(accountSid, callSid, { status: 'completed' }), { code: 'call_over' })
    await assert.rejects(rest.startStream(accountSid, callSid, order), { code: 'call_over' })
    assert.equal(twilio.requests.length, 4)
    assert.equal(counters.twilioRetried, 0)
    assert.deepEqual([counters.twilioRejected, counters.twilioCallOver, counters.twilioDone], [1, 3, 0])
  })

  it('waits as long as Retry-After says, and gives up when that is longer than it has', async (t) => {
    const twilio = await playedTwilio(t)
    const { callSid } = twilio.place(numbers).identity
    const { rest } = restTo(twilio.url)
    twilio.trouble({ kind: 'answer', status: 429, code: 20429, retryAfter: '1', times: 1 })
    const startedMs = performance.now()
    await rest.fetchCall(accountSid, callSid)
    assert.ok(performance.now() - startedMs >= 990)
    twilio.trouble({ kind: 'answer', status: 429, code: 20429, retryAfter: '60', times: 1 })
    const againMs = performance.now()
    await assert.rejects(rest.fetchCall(accountSid, callSid), { code: 'twilio_busy', retryAfterMs: 60_000 })
    assert.ok(performance.now() - againMs < 500)
  })

  it('ends within its time although Twilio never answers', async (t) => {
    const twilio = await playedTwilio(t)
    const { callSid } = twilio.place(numbers).identity
    const { rest, counters } = restTo(twilio.url, { limits: { timeoutMs: 100, totalMs: 350 } })
    twilio.trouble({ kind: 'silence', times: 100 })
    const startedMs = performance.now()
    await assert.rejects(rest.fetchCall(accountSid, callSid), { code: 'twilio_unavailable' })
    assert.ok(performance.now() - startedMs < 600)
    assert.equal(counters.twilioUnavailable, 1)
  })

  it('goes with the other token while tokens are rotated, and stays with the one that works', async (t) => {
    const twilio = await playedTwilio(t)
    const { callSid } = twilio.place(numbers).identity
    const { rest } = restTo(twilio.url, { authTokens: ['the old one', playedAccount.authToken] })
    await rest.fetchCall(accountSid, callSid)
    await rest.fetchCall(accountSid, callSid)
    assert.deepEqual(
      twilio.requests.map(({ status }) => status),
      [401, 200, 200],
    )
    const { rest: wrong } = restTo(twilio.url, { authTokens: ['neither', 'nor'] })
    await assert.rejects(wrong.fetchCall(accountSid, callSid), { code: 'twilio_unauthenticated', retryable: false })
  })

  it('in the name of an unknown account never leaves', async (t) => {
    const twilio = await playedTwilio(t)
    const { rest } = restTo(twilio.url)
    await assert.rejects(rest.fetchCall(`AC${'9'.repeat(32)}`, `CA${'0'.repeat(32)}`), { code: 'account_unknown' })
    assert.equal(twilio.requests.length, 0)
  })

  it('to redirect a call does not wait for stream starts', async (t) => {
    const twilio = await playedTwilio(t)
    const { callSid } = twilio.place(numbers).identity
    const { rest } = restTo(twilio.url, { limits: { atOnce: 4 } })
    await rest.fetchCall(accountSid, callSid)
    twilio.delayMs = 100
    const plain = Array.from({ length: 12 }, () => rest.fetchCall(accountSid, callSid))
    const startedMs = performance.now()
    await rest.updateCall(accountSid, callSid, { twiml: '<Response/>' })
    const tookMs = performance.now() - startedMs
    await Promise.all(plain)
    const allMs = performance.now() - startedMs
    assert.ok(tookMs < 190, `the redirect took ${tookMs} ms`)
    assert.ok(allMs > 290, `the others took ${allMs} ms`)
  })

  it('to redirect a call is made again only when it surely was not carried out', async (t) => {
    const twilio = await playedTwilio(t)
    const change = { twiml: '<Response/>' }
    for (const kind of ['lost', 'reset'] as const) {
      const { callSid } = twilio.place(numbers).identity
      const { rest } = restTo(twilio.url)
      twilio.trouble({ kind, times: 1 })
      await assert.rejects(rest.updateCall(accountSid, callSid, change), { code: 'twilio_unavailable' })
      assert.equal(twilio.requests.filter(({ path }) => path.includes(callSid)).length, 1, kind)
    }
    const { callSid } = twilio.place(numbers).identity
    const { rest } = restTo(twilio.url)
    twilio.trouble({ kind: 'answer', status: 429, code: 20429, message: 'Too Many Requests', times: 1 })
    twilio.trouble({ kind: 'answer', status: 500, code: 20500, message: 'Internal Server Error', times: 1 })
    await rest.updateCall(accountSid, callSid, change)
    assert.deepEqual(twilio.call(callSid)?.redirects, ['<Response/>'])
  })

  it('to hang up is made again when its answer was lost, and is done when the call is over then', async (t) => {
    const twilio = await playedTwilio(t)
    const { callSid } = twilio.place(numbers).identity
    const { rest, counters } = restTo(twilio.url)
    twilio.trouble({ kind: 'lost', times: 1 })
    await rest.updateCall(accountSid, callSid, { status: 'completed' })
    assert.deepEqual([twilio.call(callSid)?.status, counters.twilioRetried], ['completed', 1])
    await assert.rejects(rest.updateCall(accountSid, callSid, { status: 'completed' }), { code: 'call_over' })
  })

  it('leaves no secret in its errors', async (t) => {
    const twilio = await playedTwilio(t)
    const { rest } = restTo('http://127.0.0.1:9', { limits: { triesMax: 1 } })
    const { callSid } = twilio.place(numbers).identity
    const error: unknown = await rest.fetchCall(accountSid, callSid).then(
      () => null,
      (thrown: unknown) => thrown,
    )
    const { inspect } = await import('node:util')
    const basic = Buffer.from(`${accountSid}:${playedAccount.authToken}`).toString('base64')
    const text = inspect(error, { depth: 8, showHidden: true })
    assert.ok(!text.includes(playedAccount.authToken) && !text.includes(basic))
  })
})
