/**
 * The drift watches of all names, and their memory over restarts and swaps: a version that comes back by a rollback
 * goes on with its own days. In one file, replaced as a whole once a minute and at the end; what is lost by a crash is
 * a minute of counts. Of each name the newest few versions are remembered. Main thread.
 */
import { readFileSync } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'
import { z } from 'zod'
import type { ModelsConfig } from '../config/schema.ts'
import { messageOf } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import { type DriftOptions, DriftWatch } from '../inference/drift-watch.ts'

const versionsKept = 4
const writeMs = 60_000

const fileSchema = z.record(z.string(), z.array(z.looseObject({ model: z.string() })))
type Memory = z.infer<typeof fileSchema>[string][number]

export class DriftMemories {
  readonly #path: string
  readonly #config: ModelsConfig['drift']
  readonly #log: Log
  readonly #watches = new Map<string, DriftWatch>()
  /** By name, newest last; not the watches that run. */
  readonly #past = new Map<string, Memory[]>()
  #timer: NodeJS.Timeout | null = null
  #writing: Promise<void> = Promise.resolve()

  constructor(options: { path: string; config: ModelsConfig['drift']; log: Log }) {
    this.#path = options.path
    this.#config = options.config
    this.#log = options.log
    for (const [name, memories] of Object.entries(readFile(this.#path))) this.#past.set(name, memories)
  }

  start(): void {
    this.#timer = setInterval(() => void this.write(), writeMs)
    this.#timer.unref()
  }

  current(name: string): DriftWatch | undefined {
    return this.#watches.get(name)
  }

  /** A version begins to judge, or judges again. */
  begin(name: string, what: Omit<DriftOptions, 'referenceDays' | 'daysKept'>): DriftWatch {
    const before = this.#watches.get(name)
    if (before?.model === what.model) return before
    const past = this.#past.get(name) ?? []
    if (before !== undefined) past.push({ ...before.memory(), model: before.model })
    const watch = new DriftWatch({ ...this.#config, ...what })
    watch.restore(past.findLast((each) => each.model === what.model))
    this.#past.set(name, past.filter((each) => each.model !== what.model).slice(1 - versionsKept))
    this.#watches.set(name, watch)
    return watch
  }

  async close(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer)
    await this.write()
  }

  write(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write())
    return this.#writing
  }

  async #write(): Promise<void> {
    const all: Record<string, object[]> = Object.fromEntries(this.#past)
    for (const [name, watch] of this.#watches) all[name] = [...(all[name] ?? []), watch.memory()]
    const draft = `${this.#path}.draft`
    try {
      await writeFile(draft, JSON.stringify(all), { mode: 0o600 })
      await rename(draft, this.#path)
    } catch (thrown) {
      this.#log.warn('distributions of models were not written; tried again', { reason: messageOf(thrown) })
    }
  }
}

/** What cannot be read is begun anew. */
function readFile(path: string): z.infer<typeof fileSchema> {
  try {
    return fileSchema.parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch {
    return {}
  }
}
