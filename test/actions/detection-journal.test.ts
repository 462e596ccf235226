/** The journal on the real durable log. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Detection, freshDetection } from '../../src/actions/detection.ts'
import { DetectionJournal } from '../../src/actions/detection-journal.ts'
import { silentLog } from '../../src/core/log.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import { ByteBudget } from '../../src/log/durable-log.ts'
import { LogEnvironment } from '../../src/log/log-environment.ts'
import { scratchDirectory } from '../fakes/scratch.ts'

function detection(id: string): Detection {
  return {
    ...freshDetection(),
    id,
    callSid: `CA${'5'.repeat(32)}`,
    accountSid: `AC${'4'.repeat(32)}`,
    track: 'inbound',
    origin: 'api',
    stirVerstat: '',
    createdAtMs: 1_800_000_000_000,
    call: null,
  }
}

describe('the journal of detections', () => {
  it('gives back what was live, as it was last written, after the log was opened again', async (t) => {
    const directory = scratchDirectory(t)
    const open = (): LogEnvironment => LogEnvironment.open({ directory, counters: zeroCounters(), log: silentLog })
    const first = open()
    const journal = new DetectionJournal(first.log('detections', new ByteBudget(10_000_000)))
    const [live, ended] = [detection('det_1'), detection('det_2')]
    await Promise.all([journal.write(live), journal.write(ended)])
    Object.assign(live, { state: 'live', startedAtMs: 1_800_000_001_000, streamSids: ['MZ1'] })
    ended.state = 'ended'
    await Promise.all([journal.write(live), journal.write(ended)])
    await first.close()
    const second = open()
    t.after(() => second.close())
    const found = new DetectionJournal(second.log('detections', new ByteBudget(10_000_000))).read()
    assert.deepEqual(found, [{ ...live, lostAtMs: null }])
  })

  it('stays small however many detections come and go, and keeps the one that stays', async (t) => {
    const logs = LogEnvironment.open({ directory: scratchDirectory(t), counters: zeroCounters(), log: silentLog })
    t.after(() => logs.close())
    const log = logs.log('detections', new ByteBudget(1_000_000))
    const journal = new DetectionJournal(log)
    await journal.write(detection('det_stays'))
    for (let round = 0; round < 40; round += 1) {
      const some = Array.from({ length: 50 }, (_, index) => detection(`det_${round}_${index}`))
      await Promise.all(some.map((one) => journal.write(one)))
      for (const one of some) one.state = 'ended'
      await Promise.all(some.map((one) => journal.write(one)))
    }
    assert.ok(log.end() - log.cursor('live') < 1500, `${log.end() - log.cursor('live')} entries`)
    assert.deepEqual(
      new DetectionJournal(log).read().map(({ id }) => id),
      ['det_stays'],
    )
  })
})
