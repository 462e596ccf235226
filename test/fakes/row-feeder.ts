/**
 * A whole storage process under load, to be killed: opens storage in the given directory, writes numbered rows as
 * fast as they are taken and tells its parent which are acknowledged (durable in the log).
 *
 *   argv: data directory, round, rows to write (0: without end)
 */
import { loadConfig } from '../../src/config/load.ts'
import { EmbeddedStore } from '../../src/storage/embedded-store.ts'
import { auditRow } from './rows.ts'
import { storageHouse } from './storage-house.ts'

const [dataDir = '', round = '', wanted = '0'] = process.argv.slice(2)
const config = loadConfig({ env: { VOICEFW__DATA_DIR: dataDir, VOICEFW__STORAGE__FLUSH_MS: '20' } })
const storage = storageHouse(config)

process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))

async function feed(): Promise<void> {
  const limit = Number(wanted) === 0 ? Number.POSITIVE_INFINITY : Number(wanted)
  for (let count = 0; count < limit; ) {
    const names: string[] = []
    for (let index = 0; index < 20 && count < limit; index += 1, count += 1) names.push(`${round}-${count}`)
    const taken = names.filter((name) => storage.writer.write('audit', auditRow(name)))
    await storage.writer.durable()
    process.send?.(taken)
  }
  await storage.writer.flush()
  const counts = await storage.store.query(
    'SELECT subject, count() AS times FROM audit GROUP BY subject ORDER BY subject',
    {},
  )
  process.send?.({ stored: counts.map((row) => [row['subject'], Number(row['times'])]) })
  await storage.close()
  process.disconnect()
}

/** The engine's process, which must not outlive us. */
setTimeout(() => {
  if (storage.store instanceof EmbeddedStore) process.send?.({ engine: storage.store.childPid() })
}, 50)
void feed()
