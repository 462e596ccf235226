/**
 * Roles and what each may do: `viewer < operator < admin`; `ingest` stands apart, it may send records and ask for
 * decisions but sees nothing, and no other role may do its work. Pure. Any thread.
 */

export const roles = ['viewer', 'operator', 'admin', 'ingest'] as const

export type Role = (typeof roles)[number]

const rank: Readonly<Record<Role, number>> = { viewer: 1, operator: 2, admin: 3, ingest: 0 }

/** Whether somebody with role `held` may use what asks for `needed`. */
export function permits(held: Role, needed: Role): boolean {
  if (held === 'ingest' || needed === 'ingest') return held === needed
  return rank[held] >= rank[needed]
}
