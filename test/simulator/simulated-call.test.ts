import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clipOf } from '../../src/simulator/clips.ts'
import type { FaultPlan } from '../../src/simulator/fault-plan.ts'
import { type CallCounts, SimulatedCall, zeroCounts } from '../../src/simulator/simulated-call.ts'
import { type FakeServer, fakeServer } from '../fakes/twilio-server.ts'
import { until } from '../fakes/until.ts'

/** Frame n of the clip decodes to 160 bytes of n. */
const inbound = Uint8Array.from({ length: 160 * 100 }, (_, at) => Math.floor(at / 160))
const clip = clipOf({ name: 'count', truth: null, about: '', inbound })

interface Run {
  readonly call: SimulatedCall
  readonly server: FakeServer
  readonly counts: CallCounts
}

async function withCall(plan: FaultPlan, frames: number, use: (run: Run) => Promise<void>): Promise<void> {
  const server = await fakeServer()
  const counts = zeroCounts()
  let streams = 0
  try {
    const call = await SimulatedCall.place({
      target: server.target,
      call: { callSid: 'CA00', from: '+12015550100', to: '+12025550199' },
      clip,
      frames,
      plan,
      counts,
      newStreamSid: () => `MZ${streams++}`,
      ended: () => {},
    })
    await use({ call, server, counts })
    call.terminate()
  } finally {
    await server.close()
  }
}

/** [timestamp, clip frame] of the media messages of one socket. */
function mediaOf(server: FakeServer, socket: number): [number, number][] {
  const messages = (server.sockets[socket]?.texts ?? []).flatMap((text) => {
    try {
      return [JSON.parse(text)]
    } catch {
      return []
    }
  })
  return messages
    .filter((message) => message?.event === 'media' && message.media.payload !== '?*!')
    .map(({ media }) => [Number(media.timestamp), Buffer.from(media.payload, 'base64')[0] as number])
}

function tick(call: SimulatedCall, times: number): void {
  for (let time = 0; time < times; time++) call.tick()
}

test('an undisturbed call plays one frame a tick, 20 ms apart, and stops', async () => {
  await withCall({ faults: [], ending: 'stop' }, 4, async ({ call, server, counts }) => {
    tick(call, 4)
    assert.equal(call.tick(), false)
    await until(() => server.sockets[0]?.closeCode === 1000)
    assert.deepEqual(mediaOf(server, 0), [
      [40, 0],
      [60, 1],
      [80, 2],
      [100, 3],
    ])
    assert.equal(JSON.parse(server.sockets[0]?.texts.at(-1) ?? '').event, 'stop')
    assert.equal(counts.mediaMessages, 4)
  })
})

test('a delivery hole loses nothing and moves no timestamp', async () => {
  await withCall({ faults: [{ kind: 'hole', atFrame: 1, frames: 2 }], ending: 'stop' }, 9, async ({ call, server }) => {
    tick(call, 3)
    await until(() => (server.sockets[0]?.texts.length ?? 0) === 3)
    tick(call, 1)
    await until(() => (server.sockets[0]?.texts.length ?? 0) === 6)
    assert.deepEqual(mediaOf(server, 0), [
      [40, 0],
      [60, 1],
      [80, 2],
      [100, 3],
    ])
  })
})

test('lost audio shows as a jump of the timestamp', async () => {
  await withCall({ faults: [{ kind: 'loss', atFrame: 1, frames: 2 }], ending: 'stop' }, 9, async ({ call, server }) => {
    tick(call, 4)
    await until(() => mediaOf(server, 0).length === 2)
    assert.deepEqual(mediaOf(server, 0), [
      [40, 0],
      [100, 3],
    ])
  })
})

test('duplicates, unknown events and malformed texts come beside the audio, not in its place', async () => {
  const faults = [
    { kind: 'duplicate', atFrame: 1 },
    { kind: 'unknown_event', atFrame: 2 },
    { kind: 'malformed', atFrame: 3, text: '{"event":"media","chu' },
  ] as const
  await withCall({ faults, ending: 'stop' }, 9, async ({ call, server, counts }) => {
    tick(call, 4)
    await until(() => server.sockets[0]?.texts.length === 9)
    assert.deepEqual(mediaOf(server, 0), [
      [40, 0],
      [40, 0],
      [60, 1],
      [80, 2],
      [100, 3],
    ])
    assert.ok(server.sockets[0]?.texts.includes('{"event":"media","chu'))
    assert.deepEqual([counts.faults.duplicate, counts.faults.unknown_event, counts.faults.malformed], [1, 1, 1])
  })
})

test('after a break a new stream of the same call goes on with its own clock', async () => {
  await withCall(
    { faults: [{ kind: 'reconnect', atFrame: 2, frames: 3 }], ending: 'stop' },
    90,
    async ({ call, server }) => {
      tick(call, 6)
      await until(() => server.sockets[1]?.texts.length === 2)
      tick(call, 2)
      await until(() => mediaOf(server, 1).length > 0)
      assert.equal(server.sockets[0]?.closeCode, 1006)
      assert.deepEqual(
        server.webhooks.map((webhook) => webhook.fields.get('CallSid')),
        ['CA00', 'CA00'],
      )
      const start = JSON.parse(server.sockets[1]?.texts[1] ?? '').start
      assert.deepEqual([start.callSid, start.streamSid], ['CA00', 'MZ1'])
      assert.equal(mediaOf(server, 1)[0]?.[0], 40)
      assert.equal(mediaOf(server, 1)[0]?.[1], 6)
    },
  )
})

test('a second stream of the same call carries the same audio beside the first', async () => {
  await withCall({ faults: [{ kind: 'second_stream', atFrame: 1 }], ending: 'stop' }, 90, async ({ call, server }) => {
    tick(call, 2)
    await until(() => server.sockets[1]?.texts.length === 2)
    tick(call, 2)
    await until(() => mediaOf(server, 1).length === 2 && mediaOf(server, 0).length === 4)
    assert.deepEqual(
      mediaOf(server, 1).map(([, frame]) => frame),
      mediaOf(server, 0)
        .slice(2)
        .map(([, frame]) => frame),
    )
  })
})

test('a call may vanish: no stop, no close', async () => {
  await withCall({ faults: [], ending: 'vanish' }, 2, async ({ call, server, counts }) => {
    tick(call, 3)
    await until(() => mediaOf(server, 0).length === 2)
    assert.equal(server.sockets[0]?.closeCode, undefined)
    assert.equal(counts.faults.no_fin, 1)
  })
})

test('a call whose socket the server closed ends and is counted', async () => {
  await withCall({ faults: [], ending: 'stop' }, 90, async ({ call, server, counts }) => {
    await server.close()
    await until(() => Object.keys(counts.closedByServer).length > 0)
    assert.equal(call.tick(), false)
  })
})
