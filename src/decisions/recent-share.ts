/**
 * Share of a track's recent speech that was left out because it is unlike what the model learned from; forgotten as the
 * evidence is, by net speech. Pure; main thread.
 */

/** Of the recent speech: with more left out, what is left is too little to judge the track by. */
export const unfamiliarShareMax = 0.5

export class RecentShare {
  readonly #halfLifeMs: number
  #leftOutMs = 0
  #heardMs = 0

  constructor(halfLifeMs: number) {
    this.#halfLifeMs = halfLifeMs
  }

  add(speechMs: number, isLeftOut: boolean): void {
    const keep = 0.5 ** (speechMs / this.#halfLifeMs)
    this.#leftOutMs = this.#leftOutMs * keep + (isLeftOut ? speechMs : 0)
    this.#heardMs = this.#heardMs * keep + speechMs
  }

  get value(): number {
    return this.#heardMs > 0 ? this.#leftOutMs / this.#heardMs : 0
  }
}
