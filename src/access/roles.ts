/**
 * Roles and what each may do: `viewer < operator < admin`; `ingest` stands apart, it may send records and ask for
 * decisions but sees nothing, and no other role may do its work. A scope is a permission beside the role: `sql` opens
 * the SQL door, `numbers:clear` shows numbers that are stored as tokens, `audio:read` what is kept of calls as audio.
 * Pure. Any thread.
 */

export const roles = ['viewer', 'operator', 'admin', 'ingest'] as const

export type Role = (typeof roles)[number]

const rank: Readonly<Record<Role, number>> = { viewer: 1, operator: 2, admin: 3, ingest: 0 }

/** Whether somebody with role `held` may use what asks for `needed`. */
export function permits(held: Role, needed: Role): boolean {
  if (held === 'ingest' || needed === 'ingest') return held === needed
  return rank[held] >= rank[needed]
}

/**
 * `sql`: may ask our tables in SQL (`/v1/sql`). `numbers:clear`: may read with `?numbers=clear`. `audio:read`: may hear
 * kept audio.
 */
export const scopes = ['sql', 'numbers:clear', 'audio:read'] as const

export type Scope = (typeof scopes)[number]

/** An admin could make itself a key with any scope, so it holds them all. */
export function holds(who: { readonly role: Role; readonly scopes: readonly Scope[] }, scope: Scope): boolean {
  return who.role === 'admin' || (who.role !== 'ingest' && who.scopes.includes(scope))
}
