/**
 * Asks the server under test for its verdicts on the calls of a run, through the public API and page by page. Waits a
 * little for calls to end, because the last rows of a call come after its stop.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../core/clock.ts'
import { OperatingError } from '../core/errors.ts'

/** The inbound track's verdict. */
export interface SeenVerdict {
  readonly state: string
  readonly label: string
  readonly score: number | null
  readonly netSpeechMs: number
  readonly lostMs: number
}

interface ListedCall {
  readonly callSid: string
  readonly state: string
  readonly tracks: readonly (SeenVerdict & { readonly track: string })[]
}

/** Calls that still live after so long are told as they are: those that vanished end by the server's idle timeout. */
const settleMsMax = 3000
const pollMs = 250
const pageSize = 500

export interface VerdictQuery {
  readonly origin: string
  readonly key: string
  readonly callSids: ReadonlySet<string>
  readonly clock: Clock
}

/** callSid -> verdict; calls the server does not know are absent. @throws OperatingError */
export async function fetchVerdicts(query: VerdictQuery): Promise<Map<string, SeenVerdict>> {
  const deadlineMs = query.clock.steadyMs() + settleMsMax
  for (;;) {
    const seen = await fetchAll(query)
    const settled = seen.size === query.callSids.size && [...seen.values()].every((call) => call.state !== 'live')
    if (settled || query.clock.steadyMs() > deadlineMs) return seen
    await sleep(pollMs)
  }
}

/** Newest first, so the pages end once all of ours are found. */
async function fetchAll({ origin, key, callSids }: VerdictQuery): Promise<Map<string, SeenVerdict>> {
  const seen = new Map<string, SeenVerdict>()
  let cursor: string | null = ''
  while (cursor !== null && seen.size < callSids.size) {
    const query = new URLSearchParams({ limit: String(pageSize), ...(cursor === '' ? {} : { cursor }) })
    const response = await fetch(`${origin}/v1/calls?${query}`, { headers: { authorization: `Bearer ${key}` } })
    if (response.status !== 200) {
      throw new OperatingError('bad_request', `GET /v1/calls was answered ${response.status}`)
    }
    const page = (await response.json()) as { calls: ListedCall[]; next: string | null }
    for (const call of page.calls) {
      const verdict = call.tracks.find(({ track }) => track === 'inbound') ?? call.tracks[0]
      if (!callSids.has(call.callSid) || verdict === undefined) continue
      const { label, score, netSpeechMs, lostMs } = verdict
      seen.set(call.callSid, { state: call.state, label, score, netSpeechMs, lostMs })
    }
    cursor = page.next
  }
  return seen
}
