/**
 * Lines that outlive this process from the moment `put` returns, without waiting for a disk: they are handed to the
 * kernel, so a kill loses none, a crash of the machine may. For what must be known before something leaves that cannot
 * be taken back, until the durable log has it too: then they go, so that no later start takes what is long settled for
 * news. Main thread.
 */
import { closeSync, ftruncateSync, openSync, readFileSync, writeFileSync } from 'node:fs'

/** What the durable log refused is kept up to here. */
const refusedBytesMax = 4_194_304

export class MarkFile {
  readonly #file: string
  readonly #descriptor: number
  #bytes: number
  /** Lines that the durable log does not have yet. */
  #needed = 0
  /** Lines that it refused to take. */
  #hasRefused = false

  constructor(file: string) {
    this.#file = file
    this.#descriptor = openSync(file, 'a', 0o600)
    this.#bytes = readFileSync(file).length
  }

  /** What the last process left, oldest first; a line that a crash tore is among them. Once, at start. */
  read(): string[] {
    return readFileSync(this.#file, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
  }

  /** @param kept resolves when the durable log has it. @throws Error of the disk */
  put(line: string, kept: Promise<unknown>): void {
    this.#needed += 1
    kept.then(
      () => this.#settle(true),
      () => this.#settle(false),
    )
    // The break before it ends a line that a full disk cut off.
    const bytes = Buffer.from(`\n${line}\n`)
    this.#bytes += bytes.length
    writeFileSync(this.#descriptor, bytes)
  }

  /** Unless something was put that the durable log does not have. */
  clear(): void {
    if (this.#needed > 0 || this.#hasRefused) return
    this.#empty()
  }

  #settle(isKept: boolean): void {
    this.#needed -= 1
    if (!isKept) this.#hasRefused = true
    if (this.#needed > 0) return
    if (!this.#hasRefused || this.#bytes > refusedBytesMax) this.#empty()
  }

  #empty(): void {
    ftruncateSync(this.#descriptor, 0)
    this.#bytes = 0
    this.#hasRefused = false
  }

  close(): void {
    closeSync(this.#descriptor)
  }
}
