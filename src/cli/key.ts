/**
 * `key create | list | revoke`: API keys, beside a running server (which notices within a second) or before its first
 * start. A key is shown once, alone on the last line of stdout; only its hash is kept.
 */
import { randomBytes } from 'node:crypto'
import { ApiKeys } from '../access/api-keys.ts'
import { type Role, roles } from '../access/roles.ts'
import type { Clock } from '../core/clock.ts'
import { type ExitCode, type Terminal, table } from './terminal.ts'

export interface KeyContext {
  readonly dataDir: string
  readonly clock: Clock
  readonly terminal: Terminal
}

function open({ dataDir, clock }: KeyContext): ApiKeys {
  return new ApiKeys({ dataDir, clock, random: randomBytes })
}

export function createKey(context: KeyContext, wanted: { role: string; name: string }): ExitCode {
  const { terminal } = context
  if (!isRole(wanted.role)) {
    terminal.remark(`error: --role must be one of ${roles.join(', ')}; got ${wanted.role}`)
    return 2
  }
  const { id, key } = open(context).create(wanted.role, wanted.name)
  terminal.remark(`key ${id} for ${wanted.name}, role ${wanted.role}; it is not shown again`)
  terminal.print(key)
  return 0
}

function isRole(text: string): text is Role {
  return (roles as readonly string[]).includes(text)
}

export function listKeys(context: KeyContext): ExitCode {
  const rows = open(context)
    .list()
    .map((key) => [key.id, key.role, key.name, key.createdAt, key.revokedAt ?? 'valid'])
  for (const line of table(['id', 'role', 'name', 'created', 'revoked'], rows)) context.terminal.print(line)
  return 0
}

export function revokeKey(context: KeyContext, id: string): ExitCode {
  if (!open(context).revoke(id)) {
    context.terminal.remark(`error: no key has the id ${id}; see: voicefw key list`)
    return 1
  }
  context.terminal.print(`revoked ${id}`)
  return 0
}
