/**
 * The live tracks, worst first, at most `shownStep` rows until more are asked for. The counts above are also the
 * filter. Rows change places at most every two seconds and never while somebody points at them or has one focused.
 * Browser.
 */
import { useRef, useState } from 'preact/hooks'
import type { Label } from '../decisions/verdict-view.ts'
import type { House } from './house.ts'
import { LabelPicture, toneOf } from './label-badge.tsx'
import { type LiveTrack, worstFirst } from './live-store.ts'
import { RowList } from './row-list.tsx'
import { useSteadyOrder } from './steady-order.ts'
import { useEverySecond, useTold } from './told.ts'
import { RowHeads, TrackRow } from './track-row.tsx'
import { clockTime, flagWords, labelOrder, labelWords } from './wording.ts'

const shownStep = 50

export function LiveCalls({ house, numbersClear }: { house: House; numbersClear: boolean }) {
  useTold(house.store.subscribe)
  useTold(house.subscribe)
  useEverySecond()
  const [filter, setFilter] = useState<Label | null>(null)
  const [shown, setShown] = useState(shownStep)
  const [tabKey, setTabKey] = useState<string | null>(null)
  const busy = useRef(false)
  const { tracks } = house.store
  const ordered = useSteadyOrder(tracks, () => worstFirst(tracks.values()).map(({ key }) => key), busy)
  const wanted = filter === null ? ordered : ordered.filter((track) => track.label === filter)
  const visible = wanted.slice(0, shown)
  const stopKey = visible.some((track) => track.key === tabKey) ? tabKey : visible[0]?.key
  const counts = house.store.counts()
  const live = labelOrder.reduce((sum, label) => sum + counts[label], 0)
  return (
    <section aria-labelledby="live-title">
      <div class="section-head">
        <h2 id="live-title">Live calls</h2>
        <p class="soft" data-test="live-counts">
          {house.store.liveCalls()} {house.store.liveCalls() === 1 ? 'call' : 'calls'} · {live}{' '}
          {live === 1 ? 'track' : 'tracks'}
        </p>
      </div>
      <Counts counts={counts} filter={filter} onFilter={setFilter} />
      {visible.length === 0 ? (
        <Nothing loaded={house.loaded} filtered={filter !== null} />
      ) : (
        <div class="table">
          <RowHeads time="Elapsed" />
          <RowList
            name="Live calls, worst first"
            onBusy={(is) => {
              busy.current = is
            }}
            onFocusRow={setTabKey}
          >
            {visible.map((track) => (
              <LiveRow key={track.key} track={track} house={house} clear={numbersClear} stop={track.key === stopKey} />
            ))}
          </RowList>
        </div>
      )}
      {wanted.length > shown ? (
        <button type="button" class="more" onClick={() => setShown(shown + shownStep)}>
          Show {Math.min(shownStep, wanted.length - shown)} more of {wanted.length - shown}
        </button>
      ) : null}
    </section>
  )
}

interface LiveRowProps {
  readonly track: LiveTrack
  readonly house: House
  readonly clear: boolean
  readonly stop: boolean
}

function LiveRow({ track, house, clear, stop }: LiveRowProps) {
  const untilMs = (track.endedAtMs ?? Date.now()) + house.clockOffsetMs
  const elapsed = track.startedAtMs === null ? '–' : clockTime(untilMs - track.startedAtMs)
  return (
    <TrackRow
      {...track}
      rowKey={track.key}
      now={track.flags.map((flag) => flagWords[flag] ?? flag).join(', ')}
      time={`${track.endedAtMs === null ? '' : 'ended '}${elapsed}`}
      ended={track.endedAtMs !== null}
      thresholds={house.status?.thresholds ?? null}
      numbersClear={clear}
      inTabOrder={stop}
    />
  )
}

interface CountsProps {
  readonly counts: Readonly<Record<Label, number>>
  readonly filter: Label | null
  readonly onFilter: (label: Label | null) => void
}

function Counts({ counts, filter, onFilter }: CountsProps) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a set of toggles, not a form
    <div class="counts" role="group" aria-label="Live tracks by label; press one to show only those">
      {labelOrder.map((label) => (
        <button
          type="button"
          key={label}
          class={`count tone-${toneOf(label)}${counts[label] === 0 ? ' zero' : ''}`}
          aria-pressed={filter === label}
          title={labelWords[label].meaning}
          onClick={() => onFilter(filter === label ? null : label)}
        >
          <span class="count-number">{counts[label]}</span>
          <span class="count-name">
            <LabelPicture label={label} />
            {labelWords[label].name}
          </span>
        </button>
      ))}
    </div>
  )
}

function Nothing({ loaded, filtered }: { loaded: boolean; filtered: boolean }) {
  if (!loaded) return <p class="nothing">Asking for the live calls …</p>
  if (filtered) return <p class="nothing">No live track has this label now.</p>
  return (
    <div class="nothing">
      <p>No call is live.</p>
      <p class="soft">
        A call appears here as soon as Twilio opens its media stream. To see one without a phone, run{' '}
        <code>npm run demo</code>.
      </p>
    </div>
  )
}
