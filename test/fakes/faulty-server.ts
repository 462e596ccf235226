/** The real server whose voice worker can be told to throw, by SIGUSR2: for tests of what is told of a crash. */
import { loadConfig } from '../../src/config/load.ts'
import { systemClock } from '../../src/core/clock.ts'
import { createLog } from '../../src/core/log.ts'
import { startFirewall } from '../../src/main.ts'

const config = loadConfig({ file: process.argv[2], env: process.env })
const firewall = await startFirewall({ config, log: createLog(config.logLevel), clock: systemClock, faults: true })
process.on('SIGUSR2', () => firewall.pool.fault(0, 'throw'))
process.on('SIGTERM', () => void firewall.close().then(() => process.exit(0)))
