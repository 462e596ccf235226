/** What is remembered across restarts, and what is told in which order. */
import { strict as assert } from 'node:assert'
import { describe, it } from 'node:test'
import { ManualClock } from '../../src/core/clock.ts'
import { call, startCdrDoors } from '../fakes/cdr-doors.ts'
import { scratchDirectory } from '../fakes/scratch.ts'

const ndjson = 'application/x-ndjson'
const body = (...ids: string[]): string => ids.map((id) => JSON.stringify(call(id))).join('\n')

describe('the ledger', () => {
  it('knows after a restart every record it had taken, and tells them again in the order of the log', async (t) => {
    const directory = scratchDirectory(t)
    const first = await startCdrDoors(t, { directory })
    const ids = Array.from({ length: 500 }, (_, index) => `id-${index}`)
    for (let at = 0; at < 500; at += 50) await first.post('canonical', ndjson, body(...ids.slice(at, at + 50)))
    const told = first.accepted
    await first.close()
    const second = await startCdrDoors(t, { directory })
    assert.deepEqual(second.accepted, told)
    assert.deepEqual((await second.post('canonical', ndjson, body(...ids, 'new'))).body, {
      accepted: 1,
      duplicates: 500,
      rejected: [],
    })
    assert.deepEqual(second.accepted.slice(0, 500), told)
    assert.equal(second.accepted.length, 501)
  })

  it('tells records in the order their senders were answered, also when many send at once', async (t) => {
    const server = await startCdrDoors(t)
    const posts = Array.from({ length: 40 }, (_, index) =>
      server.post('canonical', ndjson, body(`${index}-0`, `${index}-1`)),
    )
    await Promise.all(posts)
    const order = server.accepted.map(({ callId }) => callId)
    assert.equal(order.length, 80)
    for (let at = 0; at < 80; at += 2) assert.equal(order[at]?.replace('-0', '-1'), order[at + 1], 'batches stay whole')
    assert.ok(server.counters.cdrGroups <= 40)
  })

  it('lets go of what is older than keepHours, and marks records from before as backfill', async (t) => {
    const directory = scratchDirectory(t)
    const clock = new ManualClock(Date.UTC(2026, 2, 1, 10))
    const server = await startCdrDoors(t, { directory, clock, cdr: { keepHours: 24 } })
    const at = (id: string): string => JSON.stringify(call(id, { startUs: clock.wallMs() * 1000, endUs: undefined }))
    await server.post('canonical', ndjson, at('old'))
    clock.advance(20 * 3_600_000)
    await server.post('canonical', ndjson, at('kept'))
    const before = server.intake.stats().logBytes
    clock.advance(5 * 3_600_000)
    server.intake.tick()
    await new Promise((resolve) => setTimeout(resolve, 200))
    assert.ok(server.intake.stats().logBytes < before)
    await server.close()

    const again = await startCdrDoors(t, { directory, clock })
    assert.deepEqual(
      again.accepted.map(({ callId }) => callId),
      ['kept'],
    )
    const line = JSON.stringify(call('old', { startUs: Date.UTC(2026, 2, 1, 10) * 1000, endUs: undefined }))
    assert.equal(
      (await again.post('canonical', ndjson, line)).body['accepted'],
      1,
      'forgotten here, merged in the table',
    )
    const rows = again.intake.rows.read(1, 100).map(({ bytes }) => Buffer.from(bytes).toString('utf8').trimEnd())
    assert.match(rows.at(-1) ?? '', /,1\]$/, 'backfill')
    clock.advance(3 * 3_600_000)
    await again.post('canonical', ndjson, at('now'))
    const last = again.intake.rows.read(1, 100).at(-1)
    assert.match(
      Buffer.from(last?.bytes ?? '')
        .toString('utf8')
        .trimEnd(),
      /,0\]$/,
      'no backfill',
    )
  })

  it('counts what is odd per source and hour, with a few examples', async (t) => {
    const server = await startCdrDoors(t)
    const hour = 3_600_000_000
    const late = call('late', { startUs: Date.now() * 1000 - 2 * hour, endUs: Date.now() * 1000 - 2 * hour + 5 })
    const zero = call('zero', { releasedBy: undefined, flags: ['answered_zero'] })
    const sequence = (id: string, number: number): object => call(id, { attributes: { sequence: `${number}` } })
    const long = call('long', { talkMs: 200_000_000 })
    const records = [call('a'), late, zero, long, sequence('s1', 10), sequence('s2', 14), call('a'), { id: 'bad' }]
    await server.post('canonical', ndjson, records.map((record) => JSON.stringify(record)).join('\n'))
    for (let index = 0; index < 10; index += 1) await server.post('canonical', ndjson, '{}')
    server.intake.tick()
    const counts = Object.fromEntries(server.counts.map(({ defect, count }) => [defect, count]))
    assert.deepEqual(counts, {
      records: 6,
      duplicate: 1,
      'rejected:field_missing': 11,
      late: 1,
      out_of_order: 1,
      answered_zero: 1,
      released_by_unknown: 1,
      talk_impossible: 1,
      sequence_gap: 3,
    })
    assert.ok(server.counts.every(({ source, hourMs }) => source === 'canonical' && hourMs % 3_600_000 === 0))
    assert.equal(server.examples.filter(({ defect }) => defect === 'rejected:field_missing').length, 5)
    const gap = server.examples.find(({ defect }) => defect === 'sequence_gap')
    assert.deepEqual([gap?.record, gap?.detail], ['s2', '3 missing before 14'])
    const told = server.counts.length
    server.intake.tick()
    assert.equal(server.counts.length, told, 'nothing is told twice')
  })
})
