/**
 * `POST /v1/backups` {directory, proof}: begins a backup into a directory of the server's machine; the file
 * `requested` in it, holding the proof, shows that whoever asks may write there. `GET /v1/backups`: how the last one
 * goes. Main thread.
 */
import { z } from 'zod'
import type { Identity } from '../access/authenticate.ts'
import type { HttpAnswer, HttpRequest } from '../http/exchange.ts'
import type { Audit } from './audit.ts'
import { jsonBody } from './checked-request.ts'
import { json } from './problem.ts'
import { type ApiRoute, route } from './route-table.ts'
import { count, time } from './shapes.ts'

export const backupBody = z.strictObject({
  directory: z.string().regex(/^\/[^\0]{1,500}$/, 'must be an absolute path'),
  proof: z.string().regex(/^[0-9a-f]{32,64}$/),
})

export const backupShape = z.object({
  state: z.enum(['none', 'running', 'done', 'failed']),
  directory: z.string().nullable(),
  startedAt: time.nullable(),
  finishedAt: time.nullable(),
  problem: z.string().nullable(),
  table: z.string().nullable(),
  rows: count,
  rowsTotal: count,
  tables: z.array(z.object({ table: z.string(), rows: count })),
})

export type BackupView = z.infer<typeof backupShape>

export interface BackupResourceOptions {
  readonly backups: {
    readonly state: BackupView
    checked(directory: string, proof: string): void
    begin(directory: string): Promise<BackupView>
  }
  readonly audit: Audit
  /** Resolves once what was audited is on disk. */
  readonly audited: () => Promise<void>
}

export class BackupResource {
  readonly #options: BackupResourceOptions

  constructor(options: BackupResourceOptions) {
    this.#options = options
  }

  async begin(request: HttpRequest, identity: Identity): Promise<HttpAnswer> {
    const { backups, audit, audited } = this.#options
    const { directory, proof } = jsonBody(backupBody, request)
    backups.checked(directory, proof)
    const finished = backups.begin(directory)
    const [action, detail] = ['backup.write', directory]
    audit.note(request, identity, { action, result: 'begun', detail })
    await audited()
    void finished.then(({ state }) => audit.note(request, identity, { action, result: state, detail }))
    return json(202, backups.state)
  }

  show(): HttpAnswer {
    return json(200, this.#options.backups.state)
  }
}

export function backupRoutes(backups: BackupResource): ApiRoute[] {
  return [
    route('POST', '/v1/backups', 'admin', 'Begins a backup into a directory of this machine', {
      body: { schema: backupBody },
      bodyBytesMax: 4096,
      answers: { 202: backupShape },
      problems: ['conflict', 'spool_full'],
      answer: (request, identity) => backups.begin(request, identity),
    }),
    route('GET', '/v1/backups', 'admin', 'How the last backup went, or goes', {
      answers: { 200: backupShape },
      answer: () => backups.show(),
    }),
  ]
}
