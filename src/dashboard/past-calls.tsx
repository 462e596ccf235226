/**
 * Calls that have ended: search by number or SID, filter by label and how they ended, newest first, page by page. Asks
 * again when a call ends while the first page is shown. Browser.
 */
import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import { api, type CallPage, type ListedCall, problemText } from './api-client.ts'
import type { House } from './house.ts'
import { RowList } from './row-list.tsx'
import { useTold } from './told.ts'
import { RowHeads, TrackRow } from './track-row.tsx'
import { labelOrder, labelWords, localTime } from './wording.ts'

const pageRows = '25'
const typingMs = 250
const againMs = 1000

interface Filter {
  readonly q: string
  readonly label: string
  readonly state: string
}

type Loaded = { readonly page: CallPage } | { readonly problem: string } | null

export function PastCalls({ house, numbersClear }: { house: House; numbersClear: boolean }) {
  const [filter, setFilter] = useState<Filter>({ q: '', label: '', state: 'past' })
  /** Cursors of the pages before this one; the first page has none. */
  const [trail, setTrail] = useState<readonly string[]>([])
  useTold(house.subscribe)
  const loaded = usePage(house, filter, trail)
  const change = (next: Partial<Filter>) => {
    setFilter({ ...filter, ...next })
    setTrail([])
  }
  const next = loaded && 'page' in loaded ? loaded.page.next : null
  return (
    <section aria-labelledby="past-title">
      <div class="section-head">
        <h2 id="past-title">Past calls</h2>
        <Filters filter={filter} onChange={change} />
      </div>
      <PastRows loaded={loaded} house={house} numbersClear={numbersClear} />
      {trail.length > 0 || next !== null ? (
        <nav class="pager" aria-label="Pages of past calls">
          <button type="button" disabled={trail.length === 0} onClick={() => setTrail(trail.slice(0, -1))}>
            Newer
          </button>
          <span class="soft">Page {trail.length + 1}</span>
          <button type="button" disabled={next === null} onClick={() => next !== null && setTrail([...trail, next])}>
            Older
          </button>
        </nav>
      ) : null}
    </section>
  )
}

function usePage(house: House, filter: Filter, trail: readonly string[]): Loaded {
  const [loaded, setLoaded] = useState<Loaded>(null)
  const turn = useRef(0)
  const { q, label, state } = filter
  const cursor = trail.at(-1)
  const ask = useCallback(async () => {
    turn.current += 1
    const mine = turn.current
    const query = { state, limit: pageRows, ...(q && { q }), ...(label && { label }), ...(cursor && { cursor }) }
    const answer: Loaded = await api.calls(query).then(
      (page) => ({ page }),
      (thrown) => ({ problem: problemText(thrown) }),
    )
    if (mine === turn.current) setLoaded(answer)
  }, [q, label, state, cursor])
  useEffect(() => {
    const timer = setTimeout(() => void ask(), q === '' ? 0 : typingMs)
    return () => clearTimeout(timer)
  }, [ask, q])
  useEffect(() => {
    if (cursor !== undefined) return
    let timer: ReturnType<typeof setTimeout> | undefined
    const leave = house.onPast(() => {
      timer ??= setTimeout(() => {
        timer = undefined
        void ask()
      }, againMs)
    })
    return () => {
      leave()
      clearTimeout(timer)
    }
  }, [ask, cursor, house])
  return loaded
}

function Filters({ filter, onChange }: { filter: Filter; onChange: (next: Partial<Filter>) => void }) {
  return (
    <search class="filters">
      <input
        type="search"
        aria-label="Search past calls by number or call SID"
        placeholder="Number or call SID"
        value={filter.q}
        onInput={(event) => onChange({ q: event.currentTarget.value.trim() })}
      />
      <select
        aria-label="Label"
        value={filter.label}
        onChange={(event) => onChange({ label: event.currentTarget.value })}
      >
        <option value="">Any label</option>
        {labelOrder.map((label) => (
          <option key={label} value={label}>
            {labelWords[label].name}
          </option>
        ))}
      </select>
      <select
        aria-label="How it ended"
        value={filter.state}
        onChange={(event) => onChange({ state: event.currentTarget.value })}
      >
        <option value="past">Any ending</option>
        <option value="ended">Ended</option>
        <option value="interrupted">Interrupted</option>
      </select>
    </search>
  )
}

function PastRows({ loaded, house, numbersClear }: { loaded: Loaded; house: House; numbersClear: boolean }) {
  const [tabKey, setTabKey] = useState<string | null>(null)
  if (loaded === null) return <p class="nothing">Asking for past calls …</p>
  if ('problem' in loaded) {
    return (
      <p class="nothing" role="alert">
        Past calls cannot be shown: {loaded.problem}
      </p>
    )
  }
  const rows = loaded.page.calls.flatMap((call) => call.tracks.map((track) => ({ call, track })))
  if (rows.length === 0) return <p class="nothing">No past call fits.</p>
  const keys = rows.map(({ call, track }) => `${call.callSid} ${track.track}`)
  const stopKey = tabKey !== null && keys.includes(tabKey) ? tabKey : keys[0]
  return (
    <div class="table">
      <RowHeads time="Started" />
      <RowList name="Past calls, newest first" onFocusRow={setTabKey}>
        {rows.map(({ call, track }, at) => (
          <PastRow
            key={keys[at]}
            rowKey={keys[at] ?? ''}
            call={call}
            track={track}
            house={house}
            clear={numbersClear}
            stop={keys[at] === stopKey}
          />
        ))}
      </RowList>
    </div>
  )
}

interface PastRowProps {
  readonly rowKey: string
  readonly call: ListedCall
  readonly track: ListedCall['tracks'][number]
  readonly house: House
  readonly clear: boolean
  readonly stop: boolean
}

function PastRow({ rowKey, call, track, house, clear, stop }: PastRowProps) {
  const { label, score, confidence, provisional, netSpeechMs, gapMs, lostMs } = track
  return (
    <TrackRow
      {...{ label, score, confidence, provisional, netSpeechMs, gapMs, lostMs, rowKey }}
      callSid={call.callSid}
      track={track.track}
      from={call.from}
      to={call.to}
      time={localTime(call.startedAt)}
      ended={false}
      now=""
      scores={track.lastWindows}
      version={track.updatedAtMs}
      thresholds={house.status?.thresholds ?? null}
      numbersClear={clear}
      inTabOrder={stop}
    />
  )
}
