/**
 * One call: its facts and, per track, the verdict with reasons, the timeline, gaps and model. A live call moves with
 * its events; when it ends, the page asks once more for the final word. Browser.
 */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { CallDetail } from '../decisions/action-record.ts'
import type { CallView, TrackVerdict } from '../decisions/verdict-view.ts'
import { api, problemText } from './api-client.ts'
import { CallActions } from './call-actions.tsx'
import type { VerdictEvent } from './event-stream.ts'
import type { House } from './house.ts'
import { Picture } from './label-badge.tsx'
import { useEverySecond, useTold } from './told.ts'
import { TrackPanel } from './track-panel.tsx'
import { clockTime, endReasonWords, localTime, showNumber } from './wording.ts'

type Loaded = { readonly call: CallDetail } | { readonly problem: string } | null

export function CallPage({ house, callSid, numbersClear }: { house: House; callSid: string; numbersClear: boolean }) {
  useTold(house.subscribe)
  useEverySecond()
  const loaded = useCall(house, callSid)
  const title = useRef<HTMLHeadingElement>(null)
  // biome-ignore lint/correctness/useExhaustiveDependencies: focus follows every change of call
  useEffect(() => title.current?.focus(), [callSid])
  return (
    <article class="call-page">
      <a class="back" href="#/">
        <Picture>
          <path d="M9.5 3 4.5 8l5 5" />
        </Picture>
        All calls
      </a>
      <h1 ref={title} tabIndex={-1}>
        Call <span class="mono sid">{callSid}</span>
      </h1>
      {loaded === null ? <p class="nothing">Asking for the call …</p> : null}
      {loaded !== null && 'problem' in loaded ? (
        <p class="nothing" role="alert">
          {loaded.problem}
        </p>
      ) : null}
      {loaded !== null && 'call' in loaded ? (
        <>
          <CallFacts call={loaded.call} house={house} numbersClear={numbersClear} />
          <CallActions call={loaded.call} house={house} />
          {loaded.call.tracks.map((track) => (
            <TrackPanel key={track.track} track={track} thresholds={house.status?.thresholds ?? null} />
          ))}
        </>
      ) : null}
    </article>
  )
}

const askAfterMs = 200
/** What verdict events do not tell (signals, actions) is asked for after so many of them: each 10 s for two tracks. */
const eventsPerAsk = 40

function useCall(house: House, callSid: string): Loaded {
  const [loaded, setLoaded] = useState<Loaded>(null)
  useEffect(() => {
    let gone = false
    let frame = 0
    let heard = 0
    let call: CallDetail | undefined
    const ask = async () => {
      try {
        call = await api.call(callSid)
        if (!gone) setLoaded({ call })
      } catch (thrown) {
        if (!gone) setLoaded({ problem: problemText(thrown) })
      }
    }
    const leave = house.onVerdict((event) => {
      if (event.callSid !== callSid || call === undefined) return
      call = moved(call, event, house.nowMs())
      heard += 1
      if (event.state !== 'live' || heard % eventsPerAsk === 0) void ask()
      if (frame !== 0) return
      frame = requestAnimationFrame(() => {
        frame = 0
        if (!gone && call) setLoaded({ call })
      })
    })
    // Decisions come in handfuls; one question tells them all.
    let asking: ReturnType<typeof setTimeout> | undefined
    const leaveActions = house.onAction((event) => {
      if (event.callSid !== callSid || asking !== undefined) return
      asking = setTimeout(() => {
        asking = undefined
        void ask()
      }, askAfterMs)
    })
    setLoaded(null)
    void ask()
    return () => {
      gone = true
      leave()
      leaveActions()
      clearTimeout(asking)
      cancelAnimationFrame(frame)
    }
  }, [house, callSid])
  return loaded
}

/** The call after one more event. Windows already known (asked for meanwhile) are not added twice. */
function moved(call: CallDetail, event: VerdictEvent, nowMs: number): CallDetail {
  const tracks = call.tracks.map((track): TrackVerdict => {
    if (track.track !== event.track) return track
    const { label, score, confidence, provisional, netSpeechMs, gapMs, lostMs, window } = event
    const fresh = window !== null && window.endMs > (track.windows.at(-1)?.endMs ?? -1)
    return {
      ...track,
      ...{ label, score, confidence, provisional, netSpeechMs, gapMs, lostMs, updatedAtMs: nowMs },
      audioMs: window === null ? track.audioMs : Math.max(track.audioMs, window.endMs),
      reasons: event.reasons ?? track.reasons,
      windows: fresh ? [...track.windows, window] : track.windows,
    }
  })
  return { ...call, state: event.state === 'live' ? 'live' : call.state, tracks }
}

function CallFacts({ call, house, numbersClear }: { call: CallView; house: House; numbersClear: boolean }) {
  const endMs = call.endedAt === null ? house.nowMs() : Date.parse(call.endedAt)
  const facts: [string, string][] = [
    ['From', showNumber(call.from, numbersClear)],
    ['To', showNumber(call.to, numbersClear)],
    ['Direction', call.direction || '–'],
    ['Started', localTime(call.startedAt, true)],
    [call.state === 'live' ? 'Elapsed' : 'Length', clockTime(endMs - Date.parse(call.startedAt))],
  ]
  if (call.endReason !== null) facts.push(['Ended by', endReasonWords[call.endReason] ?? call.endReason])
  return (
    <dl class="facts">
      <div>
        <dt>State</dt>
        <dd>
          <span class={`state state-${call.state}`}>{call.state}</span>
        </dd>
      </div>
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}
