/**
 * Tells those who draw of changes, at most every `drawMs` and at an animation frame: however many events come,
 * one render. Browser.
 */
const drawMs = 200

export class Paced {
  readonly #listeners = new Set<() => void>()
  #drawnAtMs = 0
  #scheduled = false

  /** @returns the way to stop. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  changed(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    const waitMs = Math.max(0, this.#drawnAtMs + drawMs - performance.now())
    setTimeout(() => requestAnimationFrame(() => this.#draw()), waitMs)
  }

  #draw(): void {
    this.#scheduled = false
    this.#drawnAtMs = performance.now()
    for (const listener of this.#listeners) listener()
  }
}
