/** What is kept behind the readers, and what is let go. */
import { strict as assert } from 'node:assert'
import { it } from 'node:test'
import { ManualClock } from '../../src/core/clock.ts'
import { silentLog } from '../../src/core/log.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import { ByteBudget } from '../../src/log/durable-log.ts'
import { LogEnvironment } from '../../src/log/log-environment.ts'
import { RetainedLog } from '../../src/log/retained-log.ts'
import { scratchDirectory } from '../fakes/scratch.ts'

const mib = 1_048_576

it('keeps so many bytes behind the slowest reader, and reads them again after a restart', async (t) => {
  const directory = scratchDirectory(t)
  const clock = new ManualClock()
  const open = () => {
    const environment = LogEnvironment.open({ directory, counters: zeroCounters(), log: silentLog })
    const log = environment.log('a', new ByteBudget(1_000_000_000))
    log.cursor('reader')
    const retained = new RetainedLog({ log, clock, keepMs: 86_400_000, keepBytesMax: 4 * mib, stampOf: () => 5 })
    return { environment, log, retained }
  }
  const first = open()
  for (let index = 0; index < 100; index += 1) await first.retained.append([Buffer.alloc(100_000, index)])
  await first.retained.trim()
  assert.ok(first.retained.bytes() <= 4 * mib)
  assert.equal(first.log.read(1, 1000).length, 100, 'a reader has not passed them yet')
  await first.log.advance('reader', first.log.end())
  const kept = first.log.read(1, 1000)
  assert.ok(kept.length >= 30 && kept.length <= 42, `${kept.length} kept`)
  assert.equal(kept.at(-1)?.bytes[0], 99)
  await first.environment.close()

  const second = open()
  const seen: number[] = []
  await second.retained.replay((entry) => void seen.push(entry.seq))
  assert.deepEqual(
    seen,
    kept.map(({ seq }) => seq),
  )
  assert.equal(second.retained.oldestMs(), 5)
  await second.environment.close()
})

it('lets go of what is older than its time', async (t) => {
  const directory = scratchDirectory(t)
  const clock = new ManualClock()
  const environment = LogEnvironment.open({ directory, counters: zeroCounters(), log: silentLog })
  const log = environment.log('a', new ByteBudget(1_000_000_000))
  const retained = new RetainedLog({ log, clock, keepMs: 3_600_000, keepBytesMax: mib, stampOf: () => Number.NaN })
  await retained.append([Buffer.from('old')])
  clock.advance(3_000_000)
  await retained.append([Buffer.from('new')])
  await retained.trim()
  assert.equal(log.read(1, 10).length, 2)
  clock.advance(601_000)
  await retained.trim()
  assert.deepEqual(
    log.read(1, 10).map(({ bytes }) => Buffer.from(bytes).toString()),
    ['new'],
  )
  await environment.close()
})
