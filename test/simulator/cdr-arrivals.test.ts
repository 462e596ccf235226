import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Arrivals, HourProfile } from '../../src/simulator/cdr-arrivals.ts'
import { seededRandom } from '../../src/simulator/seeded-random.ts'
import { near } from '../fakes/cdr-run.ts'

const hourUs = 3_600_000_000
/** Monday 2026-01-05 00:00 UTC. */
const mondayUs = Date.UTC(2026, 0, 5) * 1000
const flat = new Array<number>(24).fill(1)
const twoHours = flat.map((_, hour) => (hour === 9 ? 3 : hour === 20 ? 1 : 0))

function moments(arrivals: Arrivals): number[] {
  const all: number[] = []
  for (let at = arrivals.next(); at !== Number.POSITIVE_INFINITY; at = arrivals.next()) all.push(at)
  return all
}

test('there are exactly as many moments as were ordered, in order, within the time', () => {
  for (const count of [0, 1, 7, 5000]) {
    const all = moments(new Arrivals(seededRandom(count), new HourProfile(flat), count, mondayUs, mondayUs + hourUs))
    assert.equal(all.length, count)
    assert.deepEqual(
      all,
      [...all].sort((a, b) => a - b),
    )
    assert.ok(all.every((at) => at >= mondayUs && at <= mondayUs + hourUs))
  }
})

test('moments follow the profile of the hours', () => {
  const all = moments(new Arrivals(seededRandom(1), new HourProfile(twoHours), 8000, mondayUs, mondayUs + 24 * hourUs))
  const hours = all.map((at) => Math.floor((at - mondayUs) / hourUs))
  const atNine = hours.filter((hour) => hour === 9).length
  assert.equal(atNine + hours.filter((hour) => hour === 20).length, 8000)
  assert.ok(near(atNine, 6000, 200), `${atNine} of 8000 where 6000 belong`)
})

test('weekends have a profile of their own', () => {
  const profile = new HourProfile(flat, twoHours)
  assert.equal(profile.at(mondayUs + 4 * 24 * hourUs + 9.5 * hourUs), 1, 'Friday')
  assert.equal(profile.at(mondayUs + 5 * 24 * hourUs + 9.5 * hourUs), 3, 'Saturday')
  assert.equal(profile.at(mondayUs + 6 * 24 * hourUs + 10.5 * hourUs), 0, 'Sunday')
  assert.equal(profile.at(mondayUs + 7 * 24 * hourUs + 10.5 * hourUs), 1, 'Monday')
})

test('uniform moments are as far apart as chance would have them', () => {
  const all = moments(new Arrivals(seededRandom(5), new HourProfile(flat), 20_000, mondayUs, mondayUs + hourUs))
  const gaps = all.slice(1).map((at, index) => at - all[index]!)
  const meanUs = hourUs / 20_000
  const longer = gaps.filter((gap) => gap > meanUs).length / gaps.length
  assert.ok(near(longer, Math.exp(-1), 0.015), `${longer} of the gaps are longer than their mean`)
})

test('what is taken out of the count does not come', () => {
  const arrivals = new Arrivals(seededRandom(5), new HourProfile(flat), 3, mondayUs, mondayUs + hourUs)
  assert.equal(arrivals.take(), true)
  assert.equal(moments(arrivals).length, 2)
  assert.equal(arrivals.take(), false)
})
