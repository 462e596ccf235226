/** The durable log without a disk: answers in the same turn of the event loop, so that a manual clock rules. */
import type { DurableLog, LogEntry } from '../../src/log/durable-log.ts'

export class MemoryLog implements DurableLog {
  #entries: LogEntry[] = []
  readonly #cursors = new Map<string, number>()
  #next = 1
  /** Thrown by appends while set. */
  refusal: Error | null = null

  async append(batch: readonly Uint8Array[]): Promise<number> {
    if (this.refusal !== null) throw this.refusal
    const first = this.#next
    for (const bytes of batch) {
      this.#entries.push({ seq: this.#next, bytes })
      this.#next += 1
    }
    return first
  }

  read(fromSeq: number, entriesMax: number): LogEntry[] {
    return this.#entries.filter(({ seq }) => seq >= fromSeq).slice(0, entriesMax)
  }

  cursor(name: string): number {
    return this.#cursors.get(name) ?? 1
  }

  async advance(name: string, seq: number): Promise<void> {
    this.#cursors.set(name, seq)
    this.#entries = this.#entries.filter((entry) => entry.seq >= seq)
  }

  readers(): string[] {
    return [...this.#cursors.keys()]
  }

  async forget(name: string): Promise<void> {
    this.#cursors.delete(name)
  }

  async reserve(): Promise<void> {}

  reserved(): number | null {
    return null
  }

  end(): number {
    return this.#next
  }

  bytes(): number {
    return 0
  }

  hasRoom(): boolean {
    return true
  }
}
