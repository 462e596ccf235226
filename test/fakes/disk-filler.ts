/**
 * Appends until the disk refuses (run under a file size limit), reads back what was acknowledged, and says so as JSON
 * on its IPC channel. A rejection that nobody can catch would end it with code 1.
 */
import { messageOf } from '../../src/core/errors.ts'
import { silentLog } from '../../src/core/log.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import { ByteBudget } from '../../src/log/durable-log.ts'
import { LogEnvironment } from '../../src/log/log-environment.ts'

const [directory = ''] = process.argv.slice(2)
const environment = LogEnvironment.open({ directory, counters: zeroCounters(), log: silentLog })
const log = environment.log('a', new ByteBudget(1_000_000_000))
const entry = Buffer.alloc(200_000, 65)

async function fill(): Promise<void> {
  log.cursor('r')
  let acknowledged = 0
  let refusal = ''
  for (; refusal === '' && acknowledged < 1000; acknowledged += 1) {
    try {
      await log.append([entry])
    } catch (thrown) {
      refusal = messageOf(thrown)
      acknowledged -= 1
    }
  }
  const readable = log.read(1, 10_000).length
  // Room made by what was passed is used again, if not at once: LMDB keeps the pages of its last transactions.
  await log.advance('r', log.end())
  let attempts = 0
  for (let again = false; !again && attempts < 20; attempts += 1) {
    again = await log.append([entry]).then(
      () => true,
      () => false,
    )
  }
  process.stdout.write(JSON.stringify({ acknowledged, refusal, readable, attempts }))
}

void fill()
