/** One detection per call and track, whatever asks for it and whatever becomes of its streams. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Detection } from '../../src/actions/detection.ts'
import { OperatingError } from '../../src/core/errors.ts'
import type { CallFacts } from '../../src/ingest/track.ts'
import { accountSid, type Controlled, type ControlledOptions, callSid, controlled } from '../fakes/controlled-calls.ts'
import { MemoryLog } from '../fakes/memory-log.ts'

const facts: CallFacts = {
  callSid,
  accountSid,
  from: '+12025550100',
  to: '+12025550199',
  direction: 'inbound',
  stirVerstat: 'TN-Validation-Passed-A',
}

function house(options: Omit<ControlledOptions, 'log'> = {}): Controlled {
  return controlled({ log: new MemoryLog(), ...options })
}

function only({ detections }: Controlled): Detection {
  const all = detections.list({ limit: 10 })
  assert.equal(all.length, 1, `${all.length} detections`)
  return all[0] as Detection
}

/** By the webhook: offered with TwiML, and its stream came. */
function webhookCall(calls: Controlled, streamSid = 'MZa') {
  calls.detections.offered(facts, `name-${streamSid}`)
  return calls.table.start(facts, streamSid, ['inbound'])
}

describe('a detection that is asked for', () => {
  it('is one although twenty ask at a time: one request to Twilio, one new, nineteen the same', async () => {
    const calls = house()
    const answers = await Promise.all(Array.from({ length: 20 }, () => calls.detections.start({ callSid })))
    assert.equal(answers.filter(({ isNew }) => isNew).length, 1)
    assert.equal(new Set(answers.map(({ detection }) => detection)).size, 1)
    assert.equal(calls.rest.started.length, 1)
    assert.equal(calls.rest.fetches, 1)
    const [order] = calls.rest.started
    assert.equal(order?.track, 'inbound_track')
    assert.equal(only(calls).state, 'starting')
    const bound = calls.tokens.get(order?.url ?? '')
    assert.equal(bound?.callSid, callSid)
    assert.equal(bound?.accountSid, accountSid)
    assert.equal(bound?.from, '+12025550100')
  })

  it('is live when its stream comes, tells its verdict, and ends with it', async () => {
    const calls = house()
    const { detection } = await calls.detections.start({ callSid })
    const stream = calls.arrive(calls.rest.started[0]!, 'MZ1')
    assert.equal(detection.state, 'live')
    const view = calls.detections.view(detection) as Record<string, unknown>
    assert.deepEqual([view['state'], view['verdict'], view['streamSids']], ['live', null, ['MZ1']])
    calls.verdicts.set(`${callSid}/inbound`, { label: 'likely_human', score: 0.1, updatedAtMs: 0 } as never)
    calls.table.stop(stream)
    assert.deepEqual([detection.state, detection.reason], ['ended', 'stop'])
    await calls.pass(7000)
    calls.verdicts.clear()
    const after = calls.detections.view(detection) as { verdict: { label: string } }
    assert.equal(after.verdict.label, 'likely_human', 'the verdict is kept when the call leaves memory')
  })

  it('on the other track than the configured one is heard all the same', async () => {
    const calls = house()
    await calls.detections.start({ callSid })
    const { detection } = await calls.detections.start({ callSid, track: 'outbound' })
    assert.equal(calls.rest.started[1]?.track, 'outbound_track')
    calls.arrive(calls.rest.started[1]!, 'MZ2')
    assert.equal(detection.state, 'live')
    assert.equal(calls.table.size, 1)
  })

  it('for a call that the webhook serves already is that detection, without another stream', async () => {
    const calls = house()
    webhookCall(calls)
    const { detection, isNew } = await calls.detections.start({ callSid })
    assert.equal(isNew, false)
    assert.equal(detection, only(calls))
    assert.equal(calls.rest.started.length, 0)
  })

  it('is refused when the call is over, not answered yet, ruled out, or of no account of ours', async () => {
    const enabled = { default: true, timeZone: 'UTC', rules: [{ name: 'fax', listen: false, to: ['4477009'] }] }
    const calls = house({ enabled })
    const refused = (code: string) => assert.rejects(calls.detections.start({ callSid }), { code })
    calls.rest.call = new OperatingError('call_over', '20404')
    await refused('call_over')
    const call = { from: '', to: '+12025550199', direction: 'inbound' }
    calls.rest.call = { ...call, status: 'completed' }
    await refused('call_over')
    calls.rest.call = { ...call, status: 'ringing' }
    await refused('call_not_answered')
    calls.rest.call = { ...call, status: 'in-progress', to: '+447700900123' }
    await refused('detection_disabled')
    await assert.rejects(calls.detections.start({ callSid, accountSid: `AC${'9'.repeat(32)}` }), {
      code: 'account_unknown',
    })
    assert.deepEqual(calls.detections.list({ limit: 10 }), [])
    const two = house({ accounts: [accountSid, `AC${'8'.repeat(32)}`] })
    await assert.rejects(two.detections.start({ callSid }), { code: 'bad_request' })
    await two.detections.start({ callSid, accountSid })
  })

  it('fails with Twilio’s reason, stays to be seen, and can be asked for anew', async () => {
    const calls = house()
    calls.rest.refusal = new OperatingError('streams_full', 'Twilio answered 400: the limit of 4 stream tracks')
    await assert.rejects(calls.detections.start({ callSid }), { code: 'streams_full' })
    const failed = only(calls)
    assert.deepEqual([failed.state, failed.reason], ['failed', 'streams_full'])
    calls.rest.refusal = null
    const { detection, isNew } = await calls.detections.start({ callSid })
    assert.equal(isNew, true)
    assert.notEqual(detection.id, failed.id)
  })

  it('is not begun when it cannot be written down, while a webhook is answered all the same', async () => {
    const log = new MemoryLog()
    const calls = controlled({ log })
    log.refusal = new OperatingError('spool_full', 'log detections holds all it may')
    await assert.rejects(calls.detections.start({ callSid }), { code: 'spool_full' })
    assert.equal(calls.rest.started.length, 0)
    webhookCall(calls)
    await calls.pass(250)
    assert.equal(calls.detections.list({ state: 'live', limit: 10 }).length, 1)
    assert.ok(calls.counters.detectionsUnwritten >= 2)
  })

  it('is live although the answer to the request was lost', async () => {
    const calls = house()
    calls.rest.refusal = new OperatingError('twilio_unavailable', 'no answer within 5000 ms')
    const asked = calls.detections.start({ callSid })
    while (calls.rest.started.length === 0) await new Promise((resolve) => setImmediate(resolve))
    calls.arrive(calls.rest.started[0]!, 'MZ1')
    assert.equal((await asked).detection.state, 'live')
  })

  it('is asked for again when its stream never comes, ten times, and then fails', async () => {
    const calls = house()
    const { detection } = await calls.detections.start({ callSid })
    await calls.pass(80_000)
    assert.equal(calls.rest.started.length, 2)
    await calls.pass(600_000)
    assert.deepEqual([detection.state, detection.reason], ['failed', 'no_stream'])
    assert.equal(calls.rest.started.length, 11)
  })
})

describe('a detection that somebody ends', () => {
  it('stops its stream, stays ended over later webhooks of the call, and begins anew when asked for', async () => {
    const calls = house()
    const { detection } = await calls.detections.start({ callSid })
    calls.arrive(calls.rest.started[0]!, 'MZ1')
    await calls.detections.stop(detection.id)
    assert.deepEqual([detection.state, detection.reason], ['ended', 'operator'])
    assert.deepEqual(calls.rest.stopped, ['MZ1'])
    assert.equal(calls.table.size, 0)
    assert.equal(calls.detections.listensTo(facts), false)
    assert.equal((await calls.detections.start({ callSid })).isNew, true)
    assert.equal(calls.detections.listensTo(facts), true)
  })

  it('is ended at once, and asked again until Twilio has stopped the stream', async () => {
    const calls = house()
    const { detection } = await calls.detections.start({ callSid })
    calls.rest.stopRefusal = new OperatingError('twilio_unavailable', 'away')
    await assert.rejects(calls.detections.stop(detection.id), { code: 'twilio_unavailable' })
    assert.equal(detection.state, 'ended')
    calls.rest.stopRefusal = null
    await calls.detections.stop(detection.id)
    assert.deepEqual(calls.rest.stopped, ['MZ1'])
    await calls.detections.stop(detection.id)
    assert.deepEqual(calls.rest.stopped, ['MZ1'])
    calls.rest.stopRefusal = new OperatingError('call_over', '20404')
    const again = await calls.detections.start({ callSid })
    await calls.detections.stop(again.detection.id)
    assert.deepEqual(again.detection.unstopped, [])
  })

  it('leaves the stream that the other track still needs', async () => {
    const calls = house({ watched: 'both_tracks' })
    calls.detections.offered(facts, 'name-1')
    calls.table.start(facts, 'MZa', ['inbound', 'outbound'])
    const [outbound, inbound] = calls.detections.list({ limit: 10 })
    await calls.detections.stop(outbound!.id)
    assert.deepEqual(calls.rest.stopped, [])
    await calls.detections.stop(inbound!.id)
    assert.deepEqual(calls.rest.stopped, ['MZa'])
  })
})

describe('a call of one detection', () => {
  it('whose stream drops gets a new one by REST within the grace and goes on', async () => {
    const calls = house()
    const stream = webhookCall(calls)
    const detection = only(calls)
    calls.table.closed(stream)
    await calls.pass(500)
    assert.equal(calls.rest.started.length, 1)
    assert.equal(calls.rest.fetches, 0)
    assert.equal(calls.tokens.get(calls.rest.started[0]!.url)?.stirVerstat, 'TN-Validation-Passed-A')
    calls.arrive(calls.rest.started[0]!, 'MZ1')
    await calls.pass(60_000)
    assert.equal(only(calls), detection)
    assert.deepEqual([detection.restarts, calls.counters.streamsResumed, calls.counters.callsStarted], [1, 1, 1])
  })

  it('whose stream comes back only after the grace is the same detection', async () => {
    const calls = house()
    const stream = webhookCall(calls)
    const detection = only(calls)
    calls.rest.refusal = new OperatingError('twilio_unavailable', 'away')
    calls.table.closed(stream)
    await calls.pass(3000)
    assert.deepEqual([detection.state, detection.reason], ['starting', 'stream_lost'])
    calls.rest.refusal = null
    await calls.pass(4000)
    calls.arrive(calls.rest.started.at(-1)!, 'MZ9')
    assert.equal(detection.state, 'live')
    assert.equal(only(calls), detection)
    assert.equal(calls.counters.callsStarted, 2)
  })

  it('with two streams, or transferred through the webhook again, is one detection', async () => {
    const calls = house()
    const first = webhookCall(calls, 'MZa')
    const second = webhookCall(calls, 'MZb')
    assert.equal(only(calls).state, 'live')
    calls.table.stop(first)
    assert.equal(only(calls).state, 'live')
    webhookCall(calls, 'MZc')
    calls.table.stop(second)
    assert.deepEqual([only(calls).state, calls.counters.callsStarted], ['live', 1])
    calls.table.callEnded(callSid, accountSid)
    calls.detections.callEnded(callSid, accountSid)
    assert.deepEqual([only(calls).state, only(calls).reason], ['ended', 'call_status'])
  })

  it('that has gone quiet and speaks again is the same detection', async () => {
    const calls = house()
    const stream = webhookCall(calls)
    await calls.pass(16_000)
    assert.deepEqual([only(calls).state, only(calls).reason], ['ended', 'idle'])
    calls.table.media(stream, 'inbound', 20, 2, Buffer.from('AAAA'), 0, 4)
    assert.equal(only(calls).state, 'live')
  })

  it('is ended by REST when the call turns out to be over', async () => {
    const calls = house()
    const stream = webhookCall(calls)
    calls.rest.refusal = new OperatingError('call_over', '20404')
    calls.table.closed(stream)
    await calls.pass(500)
    assert.deepEqual([only(calls).state, only(calls).reason, calls.table.size], ['ended', 'call_over', 0])
  })

  it('asks once for both tracks that were lost together', async () => {
    const calls = house({ watched: 'both_tracks' })
    calls.detections.offered(facts, 'name-1')
    calls.table.closed(calls.table.start(facts, 'MZa', ['inbound', 'outbound']))
    await calls.pass(500)
    assert.deepEqual(
      calls.rest.started.map(({ track }) => track),
      ['both_tracks'],
    )
  })

  it('is not asked for again when the configuration says so', async () => {
    const calls = house({ restartStreams: false })
    calls.table.closed(webhookCall(calls))
    await calls.pass(3000)
    assert.deepEqual([only(calls).state, only(calls).reason], ['ended', 'socket_closed'])
    assert.equal(calls.rest.started.length, 0)
  })

  it('whose first stream failed is asked for by REST; of another account nothing is believed', async () => {
    const calls = house()
    calls.detections.offered(facts, 'name-1')
    const status = { accountSid, callSid, name: 'name-1', event: 'stream-error', error: '31920' }
    calls.detections.streamStatus({ ...status, accountSid: `AC${'9'.repeat(32)}` })
    calls.detections.callEnded(callSid, `AC${'9'.repeat(32)}`)
    await calls.pass(500)
    assert.equal(calls.rest.started.length, 0)
    assert.equal(only(calls).state, 'starting')
    calls.detections.streamStatus(status)
    await calls.pass(500)
    assert.equal(calls.rest.started.length, 1)
  })
})

describe('detections of a process that is gone', () => {
  it('are taken up under the same ids; those whose call is over end as interrupted', async () => {
    const log = new MemoryLog()
    const before = controlled({ log, watched: 'both_tracks' })
    before.detections.offered(facts, 'name-1')
    before.table.start(facts, 'MZa', ['inbound', 'outbound'])
    const other = { ...facts, callSid: `CA${'6'.repeat(32)}` }
    before.detections.offered(other, 'name-2')
    before.table.stop(before.table.start(other, 'MZb', ['inbound', 'outbound']))
    await before.pass(500)
    const ids = before.detections.list({ callSid, limit: 10 }).map(({ id }) => id)

    const after = controlled({ log, watched: 'both_tracks' })
    assert.equal(after.detections.activeCount, 2)
    after.detections.begin()
    await after.pass(500)
    assert.deepEqual(
      after.rest.started.map(({ callSid: sid, track }) => [sid, track]),
      [[callSid, 'both_tracks']],
    )
    after.arrive(after.rest.started[0]!, 'MZc')
    const live = after.detections.list({ limit: 10 })
    assert.deepEqual(
      live.map(({ id, state, restarts }) => [id, state, restarts]),
      ids.map((id) => [id, 'live', 1]),
    )
    assert.equal(live[0]?.call?.from, '+12025550100')
    assert.equal(live[0]?.call?.stirVerstat, 'TN-Validation-Passed-A')
    await after.pass(500)

    const third = controlled({ log, watched: 'both_tracks' })
    third.rest.call = new OperatingError('call_over', '20404')
    third.detections.begin()
    await third.pass(500)
    const ended = third.detections.list({ limit: 10 }).map(({ state, reason }) => [state, reason])
    assert.deepEqual(ended, [
      ['ended', 'interrupted'],
      ['ended', 'interrupted'],
    ])
    await third.pass(500)
    assert.equal(controlled({ log }).detections.activeCount, 0)
  })

  it('wait for Twilio when it is away, and a stream that comes by itself is theirs', async () => {
    const log = new MemoryLog()
    webhookCall(controlled({ log }))
    const after = controlled({ log })
    after.rest.call = new OperatingError('twilio_unavailable', 'away')
    after.detections.begin()
    await after.pass(5000)
    assert.deepEqual([only(after).state, only(after).reason], ['starting', 'server_restarted'])
    assert.ok(after.rest.fetches >= 2)
    webhookCall(after, 'MZz')
    assert.equal(only(after).state, 'live')
    const { fetches } = after.rest
    await after.pass(10_000)
    assert.equal(after.rest.fetches, fetches)
  })

  it('are found by a status callback of the call before the waiting time is over', async () => {
    const log = new MemoryLog()
    webhookCall(controlled({ log }))
    const after = controlled({ log })
    const inProgress = after.rest.call
    after.rest.call = new OperatingError('twilio_unavailable', 'away')
    after.detections.begin()
    await after.pass(20_000)
    after.rest.call = inProgress
    const { fetches } = after.rest
    after.detections.callSeen(callSid, `AC${'9'.repeat(32)}`)
    await after.pass(250)
    assert.equal(after.rest.fetches, fetches, 'another account has no say')
    after.detections.callSeen(callSid, accountSid)
    await after.pass(250)
    assert.equal(after.rest.started.length, 1)
  })

  it('need no REST when the webhook is asked about their call again', async () => {
    const log = new MemoryLog()
    webhookCall(controlled({ log }))
    const after = controlled({ log })
    after.detections.offered(facts, 'name-2')
    after.detections.begin()
    await after.pass(1000)
    assert.equal(after.rest.started.length, 0)
    after.table.start(facts, 'MZb', ['inbound'])
    assert.equal(only(after).state, 'live')
  })

  it('leave no phone number in the journal', async () => {
    const log = new MemoryLog()
    const calls = controlled({ log })
    webhookCall(calls)
    await calls.pass(100)
    const text = log
      .read(1, 100)
      .map(({ bytes }) => Buffer.from(bytes).toString('utf8'))
      .join('\n')
    assert.match(text, new RegExp(callSid))
    assert.doesNotMatch(text, /2025550/)
  })
})
