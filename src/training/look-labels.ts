/**
 * What is true of a look: how many calls of a key's window belong to campaigns, by the labels of its calls. Mirrors
 * the windows' own edges, so a call counts here exactly while it counts there. Holds only keys with campaign calls,
 * and of them the last 24 h. Any thread, one owner.
 *
 *   key (kind, slot) -> ticks [ 401 402 405 ... ]  calls [ 3 1 7 ... ]
 */
import { type CallWindows, keyKinds, type WindowView } from '../features/call-windows.ts'
import { levelCount, levelTicks, panesPerWindow, tickMs } from '../features/window-panes.ts'

interface CampaignCalls {
  /** The key's first call: another key in the same slot has another. */
  readonly firstMs: number
  readonly ticks: number[]
  readonly calls: number[]
}

/** `campaign`: the window carries one; `grey`: a few calls of one among others, which no one could tell. */
export const lookLabel = { clean: 0, campaign: 1, grey: 2 } as const

const campaignCallsMin = 10
const campaignShareMin = 0.05
const greyCallsMin = 3
const greyShareMin = 0.01

export function labelOf(campaignCalls: number, attempts: number): number {
  const share = campaignCalls / attempts
  if (campaignCalls >= campaignCallsMin && share >= campaignShareMin) return lookLabel.campaign
  return campaignCalls >= greyCallsMin || share >= greyShareMin ? lookLabel.grey : lookLabel.clean
}

export class LookLabels {
  readonly #windows: CallWindows
  readonly #keys: readonly Map<number, CampaignCalls>[] = keyKinds.map(() => new Map<number, CampaignCalls>())

  constructor(windows: CallWindows) {
    this.#windows = windows
  }

  /** The call that the windows have just observed is one of a campaign. */
  add(timeMs: number): void {
    const tick = Math.floor(timeMs / tickMs)
    for (let kind = 0; kind < keyKinds.length; kind++) {
      const slot = this.#windows.slots[kind]!
      if (slot < 0) continue
      const { ticks, calls } = this.#at(kind, slot)
      if (ticks.at(-1) === tick) calls[calls.length - 1] = calls.at(-1)! + 1
      else {
        ticks.push(tick)
        calls.push(1)
      }
    }
  }

  #at(kind: number, slot: number): CampaignCalls {
    const firstMs = this.#windows.tables[kind]!.firstMs[slot]!
    const known = this.#keys[kind]!.get(slot)
    if (known !== undefined && known.firstMs === firstMs) return known
    const made: CampaignCalls = { firstMs, ticks: [], calls: [] }
    this.#keys[kind]!.set(slot, made)
    return made
  }

  /** Calls of campaigns in a window of the view. */
  inWindow(view: WindowView, level: number): number {
    const held = this.#keys[view.kind]!.get(view.slot)
    if (held === undefined || held.firstMs !== this.#windows.tables[view.kind]!.firstMs[view.slot]) return 0
    const now = Math.floor(view.timeMs / tickMs)
    forget(held, now)
    const width = levelTicks[level]!
    const after = Math.floor(now / width) - panesPerWindow
    let sum = 0
    for (let i = held.ticks.length - 1; i >= 0 && Math.floor(held.ticks[i]! / width) > after; i--) sum += held.calls[i]!
    return sum
  }
}

/** Leaves out what lies in no window any more, now and then. */
function forget({ ticks, calls }: CampaignCalls, now: number): void {
  const width = levelTicks[levelCount - 1]!
  const after = Math.floor(now / width) - panesPerWindow
  let gone = 0
  while (gone < ticks.length && Math.floor(ticks[gone]! / width) <= after) gone++
  if (gone < 256) return
  ticks.splice(0, gone)
  calls.splice(0, gone)
}
