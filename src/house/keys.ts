/** Who may enter at all: keys, or the refusal to stand open. Main thread. */
import { ApiKeys } from '../access/api-keys.ts'
import { ConfigProblems, isLoopback } from '../config/load.ts'
import { type FirewallOptions, random } from './options.ts'

/** Keys, or the refusal to stand open: beyond loopback nobody starts without authentication. */
export function openKeys({ config, clock, adminKeyMade }: FirewallOptions): ApiKeys {
  const keys = new ApiKeys({ dataDir: config.dataDir, clock, random })
  if (isLoopback(config.server.host)) {
    const made = keys.ensureFirstKey()
    if (made !== undefined) adminKeyMade?.(made)
  } else if (!keys.any() && config.auth.jwt === null) {
    throw new ConfigProblems([
      `server.host: ${config.server.host} is not loopback and no API key exists in ${config.dataDir}; ` +
        'make one first: voicefw key create --role admin --name NAME, or configure auth.jwt',
    ])
  }
  return keys
}
