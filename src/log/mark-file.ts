/**
 * Lines that outlive this process from the moment `put` returns, without waiting for a disk: they are handed to the
 * kernel, so a kill loses none, a crash of the machine may. For what must be known before something leaves that cannot
 * be taken back, until the durable log has it too. Bounded: emptied when nothing in it is needed. Main thread.
 */
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'

/** Emptied beyond it, as soon as the durable log has all of it. */
const bytesMax = 4_194_304

export class MarkFile {
  readonly #file: string
  readonly #descriptor: number
  #bytes: number
  /** Lines that the durable log does not have yet. */
  #needed = 0

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
    const release = (): void => {
      this.#needed -= 1
      if (this.#needed === 0 && this.#bytes > bytesMax) this.clear()
    }
    kept.then(release, release)
    this.#bytes += writeSync(this.#descriptor, `${line}\n`)
  }

  /** Unless something was put meanwhile that the durable log does not have. */
  clear(): void {
    if (this.#needed > 0) return
    ftruncateSync(this.#descriptor, 0)
    this.#bytes = 0
  }

  close(): void {
    closeSync(this.#descriptor)
  }
}
