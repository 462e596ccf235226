/**
 * A process that appends to a durable log as fast as it can and tells its parent what was acknowledged. To be killed.
 */
import { createHash } from 'node:crypto'
import { silentLog } from '../../src/core/log.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import { ByteBudget } from '../../src/log/durable-log.ts'
import { LogEnvironment } from '../../src/log/log-environment.ts'

const [directory = '', round = ''] = process.argv.slice(2)
const environment = LogEnvironment.open({ directory, counters: zeroCounters(), log: silentLog })
const log = environment.log('a', new ByteBudget(1_000_000_000))

async function appendForever(lane: number): Promise<void> {
  for (let count = 0; ; count += 1) {
    const names = Array.from({ length: 1 + (count % 7) }, (_, index) => `${round}-${lane}-${count}-${index}`)
    await log.append(names.map((name) => Buffer.from(`${name} ${createHash('sha256').update(name).digest('hex')}`)))
    process.send?.(names)
  }
}

process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
for (const lane of [0, 1, 2]) void appendForever(lane)
