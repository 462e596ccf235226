import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { QuietHours } from '../../src/notify/quiet-hours.ts'

function quietAt(times: readonly string[], zone = 'Europe/Berlin', from = '22:00', to = '07:00'): boolean[] {
  const hours = new QuietHours({ from, to, zone, unlessSeverity: 'critical' })
  return times.map((time) => hours.isQuiet(Date.parse(time)))
}

describe('quiet hours', () => {
  it('are local: 22 to 7 in Berlin is 21 to 6 UTC in winter and 20 to 5 in summer', () => {
    const winter = ['2026-01-10T20:59:59Z', '2026-01-10T21:00:00Z', '2026-01-11T05:59:59Z', '2026-01-11T06:00:00Z']
    assert.deepEqual(quietAt(winter), [false, true, true, false])
    const summer = ['2026-07-10T19:59:59Z', '2026-07-10T20:00:00Z', '2026-07-11T04:59:59Z', '2026-07-11T05:00:00Z']
    assert.deepEqual(quietAt(summer), [false, true, true, false])
  })

  it('end at the local time in the night when the clocks change', () => {
    assert.deepEqual(quietAt(['2026-03-29T04:59:00Z', '2026-03-29T05:00:00Z']), [true, false])
    assert.deepEqual(quietAt(['2026-10-25T05:59:00Z', '2026-10-25T06:00:00Z']), [true, false])
  })

  it('may lie within a day, west of Greenwich, or not be at all', () => {
    const noon = ['2026-01-10T16:59:00Z', '2026-01-10T17:30:00Z', '2026-01-10T18:00:00Z']
    assert.deepEqual(quietAt(noon, 'America/New_York', '12:00', '13:00'), [false, true, false])
    assert.deepEqual(quietAt(noon, 'UTC', '17:00', '17:00'), [false, false, false])
  })

  it('let through what is severe enough', () => {
    const hours = new QuietHours({ from: '22:00', to: '07:00', zone: 'UTC', unlessSeverity: 'high' })
    assert.deepEqual([hours.passes('medium'), hours.passes('high'), hours.passes('critical')], [false, true, true])
  })
})
