/**
 * Kept audio of calls: what there is, as WAV, opted out of and erased. Hearing, opting and erasing are audited, call by
 * call. So many downloads at a time: each is opened as a whole. Main thread.
 */
import { z } from 'zod'
import type { Identity } from '../access/authenticate.ts'
import { OperatingError } from '../core/errors.ts'
import type { HttpAnswer, HttpRequest } from '../http/exchange.ts'
import type { KeptTrack, Recordings } from '../recordings/recordings.ts'
import { writeWav } from '../wire/wav.ts'
import type { Audit } from './audit.ts'
import { checkedQuery, jsonBody } from './checked-request.ts'
import { json, plainHeaders } from './problem.ts'

const downloadsMax = 2

export const recordingsQuery = z.strictObject({ limit: z.coerce.number().int().min(1).max(1000).default(100) })
export const keepBody = z.strictObject({ keep: z.boolean() })

export interface RecordingsResourceOptions {
  readonly recordings: Pick<Recordings, 'isOn' | 'list' | 'read' | 'erase' | 'optIn' | 'optOut'>
  /** Keeps what is live of a call from now on. */
  readonly startCall: (callSid: string) => void
  readonly audit: Audit
}

export class RecordingsResource {
  readonly #options: RecordingsResourceOptions
  #downloads = 0

  constructor(options: RecordingsResourceOptions) {
    this.#options = options
  }

  async list(request: HttpRequest): Promise<HttpAnswer> {
    const { limit } = checkedQuery(recordingsQuery, request.query)
    const tracks = await this.#options.recordings.list()
    return json(200, { tracks: tracks.slice(0, limit).map(shown), total: tracks.length })
  }

  async ofCall(request: HttpRequest): Promise<HttpAnswer> {
    const tracks = await this.#options.recordings.list(callSidOf(request))
    return json(200, { tracks: tracks.map(shown), total: tracks.length })
  }

  async hear(request: HttpRequest, identity: Identity): Promise<HttpAnswer> {
    const { recordings, audit } = this.#options
    if (this.#downloads >= downloadsMax) {
      throw new OperatingError('capacity_full', `at most ${downloadsMax} recordings are opened at a time`)
    }
    this.#downloads += 1
    try {
      const callSid = callSidOf(request)
      const id = request.params['id'] ?? ''
      const { mulaw, isComplete } = await recordings.read(callSid, id)
      audit.note(request, identity, { action: 'audio.heard', result: 'ok', subject: `${callSid} ${id}` })
      const headers = {
        ...plainHeaders,
        'Content-Type': 'audio/wav',
        'Content-Disposition': `attachment; filename="${callSid}-${id}.wav"`,
        'X-Voicefw-Complete': String(isComplete),
      }
      return { status: 200, headers, body: writeWav({ ...wavFormat, bytes: mulaw }) }
    } finally {
      this.#downloads -= 1
    }
  }

  async choose(request: HttpRequest, identity: Identity): Promise<HttpAnswer> {
    const { recordings, startCall, audit } = this.#options
    const { keep } = jsonBody(keepBody, request)
    const callSid = callSidOf(request)
    if (keep && !recordings.isOn) throw new OperatingError('conflict', 'audio.keep is none: nothing is kept')
    let erased = 0
    if (keep) {
      recordings.optIn(callSid)
      startCall(callSid)
    } else erased = await recordings.optOut(callSid)
    const action = keep ? 'audio.kept' : 'audio.opted_out'
    audit.note(request, identity, { action, result: 'ok', subject: callSid, detail: `${erased} tracks erased` })
    return json(200, { keep, erased })
  }

  async erase(request: HttpRequest, identity: Identity): Promise<HttpAnswer> {
    const callSid = callSidOf(request)
    const erased = await this.#options.recordings.erase(callSid)
    const detail = `${erased} tracks erased`
    this.#options.audit.note(request, identity, { action: 'audio.erased', result: 'ok', subject: callSid, detail })
    return json(200, { erased })
  }
}

const wavFormat = { formatCode: 7, channels: 1, sampleRateHz: 8000, bits: 8 } as const

function shown({ callSid, id, track, startedAtMs, bytes, isLive }: KeptTrack): object {
  return { callSid, id, track, startedAt: new Date(startedAtMs).toISOString(), bytes, live: isLive }
}

function callSidOf(request: HttpRequest): string {
  const callSid = request.params['callSid'] ?? ''
  if (!/^CA[0-9a-fA-F]{32}$/.test(callSid)) throw new OperatingError('bad_request', 'not a call SID')
  return callSid
}
