/**
 * Which versions judge, kept in step with `models/registry.json`: the file is looked at every `watchMs`, so what the
 * command line writes reaches a running server after two looks, and the API changes the file itself. A swap happens in
 * this order: manifest and sha256 are checked, the version is loaded beside the old one and judges a made-up row, the
 * registry is written, new work goes to it. Whatever fails before the last step leaves the old version judging; why
 * stands in the view and in /readyz. One change at a time. Main thread.
 */
import { join } from 'node:path'
import type { Clock } from '../core/clock.ts'
import { messageOf, OperatingError } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import type { Counters } from '../core/metrics.ts'
import { stampOf } from '../core/whole-file.ts'
import { type VersionFacts, versionFacts } from '../inference/model-check.ts'
import type { ModelRegistry, RegistryEntry } from '../inference/model-registry.ts'
import type { ModelView, VersionView } from '../worker/model-view.ts'
import type { PreparedModel } from '../worker/voice-generations.ts'

/** Where a model is at work: a name's place in the workers. */
export interface ModelSeat {
  readonly kind: ModelView['kind']
  /** Label of what judges new work. */
  serving(): string
  /** Brings a version up beside it. @throws OperatingError */
  prepare(dir: string): Promise<PreparedModel>
  /** Tries a version beside it; null: none. @throws OperatingError */
  tryBeside(dir: string | null): Promise<void>
  tick(): void
  facts(): Pick<ModelView, 'tracks' | 'shadow' | 'drift'>
}

export interface ModelWatchOptions {
  readonly registry: ModelRegistry
  readonly seats: Readonly<Record<string, ModelSeat>>
  readonly watchMs: number
  readonly clock: Clock
  readonly log: Log
  readonly counters: Pick<Counters, 'modelSwaps' | 'modelSwapsRefused'>
  readonly swapped: (swap: { name: string; from: string; to: string; at: string }) => void
}

interface Standing {
  readonly name: string
  readonly seat: ModelSeat
  /** Version of the candidate that the seat was given. */
  candidate: string | null
  isSwapping: boolean
  problem: string | null
  candidateProblem: string | null
  lastSwap: ModelView['lastSwap']
}

/** A swap that may do better later is tried again so often. */
const retryMs = 3000
const tickMs = 1000
const factsKeptMax = 200

export class ModelWatch {
  readonly #options: ModelWatchOptions
  readonly #standings: ReadonlyMap<string, Standing>
  readonly #facts = new Map<string, { readonly stamp: string; readonly view: VersionView }>()
  /** As it was followed, and as it was at the last look. */
  #text: string | null
  #seenText: string | null
  #turn: Promise<unknown> = Promise.resolve()
  #timers: NodeJS.Timeout[] = []
  #retryAtMs = Number.POSITIVE_INFINITY
  #isStopped = false

  constructor(options: ModelWatchOptions) {
    this.#options = options
    const standing = ([name, seat]: [string, ModelSeat]): [string, Standing] => {
      const nothing = { candidate: null, isSwapping: false, problem: null, candidateProblem: null, lastSwap: null }
      return [name, { name, seat, ...nothing }]
    }
    this.#standings = new Map(Object.entries(options.seats).map(standing))
    // What is read at the first look is new, and was whole when the server started with it.
    this.#text = null
    this.#seenText = options.registry.text()
  }

  start(): void {
    this.#timers = [setInterval(() => this.look(), this.#options.watchMs), setInterval(() => this.#tick(), tickMs)]
    for (const timer of this.#timers) timer.unref()
    this.look()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    for (const timer of this.#timers) clearInterval(timer)
    await this.#turn
  }

  /**
   * Follows the file when it has changed and stands still, for an editor writes in pieces, or when a swap is due once
   * more. Resolves when that is done.
   */
  look(): Promise<void> {
    const { registry, clock } = this.#options
    const text = registry.text()
    const stands = text === this.#seenText
    this.#seenText = text
    if (!stands || (text === this.#text && clock.steadyMs() < this.#retryAtMs)) return Promise.resolve()
    this.#text = text
    this.#retryAtMs = Number.POSITIVE_INFINITY
    return this.#queued(() => this.#follow())
  }

  /** @throws OperatingError `not_found`, `model_refused`, `capacity_full`, `conflict` */
  activate(name: string, version: string): Promise<ModelView> {
    return this.#asked(name, async (standing) => {
      const { registry } = this.#options
      registry.folderOf(name, version)
      await this.#swap(standing, version, () => registry.activate(name, version))
    })
  }

  /** @throws OperatingError `not_found`, `model_refused`, `capacity_full`, `conflict` */
  rollback(name: string): Promise<ModelView> {
    return this.#asked(name, async (standing) => {
      const { registry } = this.#options
      await this.#swap(standing, registry.before(name), () => registry.rollback(name))
    })
  }

  /** @throws OperatingError `not_found`, `model_refused`, `conflict` */
  setCandidate(name: string, version: string | null): Promise<ModelView> {
    return this.#asked(name, async (standing) => {
      const { registry } = this.#options
      const { active } = registry.entry(name)
      if (version === active) throw new OperatingError('conflict', `${name}/${version} is the active version`)
      if (version !== null) registry.folderOf(name, version)
      await this.#tryBeside(standing, version)
      registry.setCandidate(name, version)
    })
  }

  views(): ModelView[] {
    return [...this.#standings.values()].map((standing) => this.#view(standing))
  }

  /** For /readyz. */
  check(): { state: 'ok' | 'degraded'; detail: string } {
    const standings = [...this.#standings.values()]
    const problem = standings.find((each) => each.problem !== null)?.problem
    if (problem !== undefined && problem !== null) return { state: 'degraded', detail: problem }
    return { state: 'ok', detail: standings.map(({ seat }) => seat.serving()).join(', ') }
  }

  #asked(name: string, work: (standing: Standing) => Promise<void>): Promise<ModelView> {
    const standing = this.#standings.get(name)
    if (standing === undefined) {
      const known = [...this.#standings.keys()].join(', ')
      return Promise.reject(new OperatingError('not_found', `no such model; there are ${known}`))
    }
    return this.#queued(async () => {
      await work(standing)
      return this.#view(standing)
    })
  }

  #queued<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work)
    this.#turn = done.catch(() => undefined)
    return done
  }

  async #follow(): Promise<void> {
    const { registry, log } = this.#options
    for (const standing of this.#standings.values()) {
      if (this.#isStopped) return
      try {
        const entry = registry.entry(standing.name)
        await this.#followEntry(standing, entry)
      } catch (thrown) {
        // A name that was never in it is judged by the rule, and that is no problem.
        if (thrown instanceof OperatingError && thrown.code === 'not_found') continue
        standing.problem = this.#plain(messageOf(thrown))
        log.error('the registry of models cannot be followed', { name: standing.name, reason: standing.problem })
      }
    }
  }

  async #followEntry(standing: Standing, { active, candidate }: RegistryEntry): Promise<void> {
    const { name } = standing
    if (standing.seat.serving() === `${name}/${active}`) standing.problem = null
    else await this.#swap(standing, active, () => undefined).catch((thrown: unknown) => this.#later(thrown))
    const wanted = candidate === active ? null : candidate
    if (wanted === standing.candidate && standing.candidateProblem === null) return
    await this.#tryBeside(standing, wanted).catch((thrown: unknown) => this.#later(thrown))
  }

  /** It was told already; what may pass by itself is tried again. */
  #later(thrown: unknown): void {
    const first = thrown instanceof OperatingError && thrown.cause instanceof OperatingError ? thrown.cause : thrown
    if (!(first instanceof OperatingError) || !first.retryable) return
    this.#retryAtMs = this.#options.clock.steadyMs() + retryMs
  }

  /** @param write makes it so in the registry, when the version is up @throws OperatingError */
  async #swap(standing: Standing, version: string, write: () => unknown): Promise<void> {
    const { clock, log, counters } = this.#options
    const { name, seat } = standing
    const [from, to] = [seat.serving(), `${name}/${version}`]
    if (from === to) {
      write()
      return
    }
    standing.isSwapping = true
    try {
      const prepared = await this.#prepared(standing, version)
      try {
        write()
      } catch (thrown) {
        await prepared.discard()
        throw thrown
      }
      prepared.commit()
    } catch (thrown) {
      counters.modelSwapsRefused += 1
      const reason = this.#plain(messageOf(thrown))
      standing.problem = `${to} was refused, ${from} goes on: ${reason}`
      log.error('a version of a model was refused; the old one goes on', { from, to, reason })
      throw refusal(thrown, `${to} was refused: ${reason}`)
    } finally {
      standing.isSwapping = false
    }
    const at = new Date(clock.wallMs()).toISOString()
    standing.problem = null
    standing.lastSwap = { at, from, to }
    if (standing.candidate === version) standing.candidate = null
    counters.modelSwaps += 1
    log.info('another version of a model judges from now on', { from, to })
    this.#options.swapped({ name, from, to, at })
  }

  async #prepared({ name, seat }: Standing, version: string): Promise<PreparedModel> {
    return seat.prepare(this.#checkedFolder(name, seat.kind, version))
  }

  #checkedFolder(name: string, kind: ModelView['kind'], version: string): string {
    const dir = this.#options.registry.folderOf(name, version)
    const facts = versionFacts(dir)
    if (facts.kind === kind) return dir
    throw new OperatingError('model_invalid', `${name} must be of kind ${kind}, ${facts.label} is of ${facts.kind}`)
  }

  async #tryBeside(standing: Standing, version: string | null): Promise<void> {
    const { name, seat, candidate: before } = standing
    standing.candidate = version
    standing.candidateProblem = null
    try {
      await seat.tryBeside(version === null ? null : this.#checkedFolder(name, seat.kind, version))
    } catch (thrown) {
      // What was tried before is tried still.
      standing.candidate = before
      const reason = this.#plain(messageOf(thrown))
      standing.candidateProblem = `candidate ${name}/${version} was refused: ${reason}`
      this.#options.log.warn('a candidate was refused', { candidate: `${name}/${version}`, reason })
      throw refusal(thrown, standing.candidateProblem)
    }
  }

  #tick(): void {
    for (const { seat } of this.#standings.values()) seat.tick()
  }

  #view(standing: Standing): ModelView {
    const { name, seat, isSwapping, problem, candidateProblem, lastSwap } = standing
    const entry = this.#entry(name)
    return {
      name,
      kind: seat.kind,
      serving: seat.serving(),
      active: entry?.active ?? null,
      previous: entry?.previous ?? null,
      candidate: entry?.candidate ?? null,
      state: isSwapping ? 'swapping' : problem !== null || candidateProblem !== null ? 'refused' : 'ok',
      problem: problem ?? candidateProblem,
      lastSwap,
      versions: this.#versions(name),
      ...seat.facts(),
    }
  }

  #entry(name: string): RegistryEntry | null {
    try {
      return this.#options.registry.entry(name)
    } catch {
      return null
    }
  }

  #versions(name: string): VersionView[] {
    const { registry } = this.#options
    return registry.versions(name).map((version) => this.#versionView(version, join(registry.directory, name, version)))
  }

  /** Manifests are read again when they change. */
  #versionView(version: string, dir: string): VersionView {
    const stamp = stampOf(join(dir, 'manifest.json'))
    const known = this.#facts.get(dir)
    if (known?.stamp === stamp) return known.view
    const view = this.#readVersion(version, dir)
    if (this.#facts.size >= factsKeptMax) this.#facts.clear()
    this.#facts.set(dir, { stamp, view })
    return view
  }

  #readVersion(version: string, dir: string): VersionView {
    try {
      const { sha256, parameters, thresholds }: VersionFacts = versionFacts(dir)
      return { version, sha256, parameters, thresholds, problem: null }
    } catch (thrown) {
      return { version, sha256: null, parameters: null, thresholds: null, problem: this.#plain(messageOf(thrown)) }
    }
  }

  /** Without the paths of this machine. */
  #plain(message: string): string {
    return message.replaceAll(`${this.#options.registry.directory}/`, '')
  }
}

/** What the asker is told: whose fault it is not, and what may pass by itself. */
function refusal(thrown: unknown, detail: string): OperatingError {
  const code = thrown instanceof OperatingError ? thrown.code : 'model_refused'
  const kept = code === 'capacity_full' || code === 'not_found' || code === 'conflict'
  return new OperatingError(kept ? code : 'model_refused', detail, { cause: thrown })
}
