/**
 * `key create | list | revoke`: API keys, beside a running server (which notices within a second) or before its first
 * start. A key is shown once, alone on the last line of stdout; only its hash is kept.
 */
import { randomBytes } from 'node:crypto'
import { ApiKeys } from '../access/api-keys.ts'
import { type Role, roles, type Scope } from '../access/roles.ts'
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

export interface NewKeyFlags {
  readonly role: string
  readonly name: string
  readonly scope?: readonly Scope[]
  readonly expires?: string
}

export function createKey(context: KeyContext, wanted: NewKeyFlags): ExitCode {
  const { terminal } = context
  if (!isRole(wanted.role)) {
    terminal.remark(`error: --role must be one of ${roles.join(', ')}; got ${wanted.role}`)
    return 2
  }
  const { role, name, scope = [], expires } = wanted
  const expiresMs = expires === undefined ? null : Date.parse(expires)
  if (expiresMs !== null && !(expiresMs > context.clock.wallMs())) {
    terminal.remark(`error: --expires must be a date or time to come, ISO 8601; got ${expires}`)
    return 2
  }
  const expiresAt = expiresMs === null ? null : new Date(expiresMs).toISOString()
  const { id, key } = open(context).create(role, name, { scopes: scope, expiresAt })
  const bounds = [`role ${role}`, ...scope.map((one) => `scope ${one}`), ...(expiresAt ? [`until ${expiresAt}`] : [])]
  terminal.remark(`key ${id} for ${name}, ${bounds.join(', ')}; it is not shown again`)
  terminal.print(key)
  return 0
}

function isRole(text: string): text is Role {
  return (roles as readonly string[]).includes(text)
}

export function listKeys(context: KeyContext): ExitCode {
  const rows = open(context)
    .list()
    .map((key) => {
      const { id, role, name, createdAt, expiresAt, lastUsedAt } = key
      return [
        ...[id, [role, ...key.scopes].join('+'), name, createdAt],
        ...[expiresAt ?? 'never', lastUsedAt ?? 'never', key.revokedAt ?? 'valid'],
      ]
    })
  const heads = ['id', 'role', 'name', 'created', 'expires', 'last used', 'revoked']
  for (const line of table(heads, rows)) context.terminal.print(line)
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
