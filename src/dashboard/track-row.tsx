/**
 * One track of a call as a row: a link to the call's page, readable as a table at a desk and as a card on a phone.
 * Live and past lists use the same row. Browser.
 */
import { Component } from 'preact'
import type { Label } from '../decisions/verdict-view.ts'
import type { Thresholds } from './api-client.ts'
import { LabelBadge, toneOf } from './label-badge.tsx'
import { ScoreLine } from './score-line.tsx'
import { duration, labelWords, percent, scoreText, shortSid, showNumber } from './wording.ts'

export interface TrackRowProps {
  readonly rowKey: string
  readonly callSid: string
  readonly track: 'inbound' | 'outbound'
  readonly from: string
  readonly to: string
  /** `0:42` of a live call, a date of a past one. */
  readonly time: string
  readonly ended: boolean
  /** What is heard beside speech right now: `music`, `silence`; empty for past calls. */
  readonly now: string
  readonly label: Label
  readonly score: number | null
  readonly confidence: number
  readonly provisional: boolean
  readonly netSpeechMs: number
  readonly gapMs: number
  readonly lostMs: number
  readonly scores: readonly (number | null)[]
  readonly version: number
  readonly thresholds: Thresholds | null
  readonly numbersClear: boolean
  /** Only one row of a list is in the tab order; arrow keys move on from there. */
  readonly inTabOrder: boolean
}

export function RowHeads({ time }: { time: string }) {
  return (
    <div class="row row-heads" aria-hidden="true">
      <span>Verdict</span>
      <span>Call</span>
      <span>From → to</span>
      <span class="right">{time}</span>
      <span>Last window scores</span>
      <span class="right">Score</span>
      <span class="right">Confidence</span>
      <span class="right">Speech</span>
      <span class="right">Gaps · lost</span>
    </div>
  )
}

/** Draws only when its version, time or surroundings changed: hundreds of rows stand still while one moves. */
export class TrackRow extends Component<TrackRowProps> {
  override shouldComponentUpdate(next: TrackRowProps): boolean {
    const now = this.props
    return (
      next.version !== now.version ||
      next.time !== now.time ||
      next.ended !== now.ended ||
      next.thresholds !== now.thresholds ||
      next.numbersClear !== now.numbersClear ||
      next.inTabOrder !== now.inTabOrder
    )
  }

  override render() {
    const row = this.props
    const from = showNumber(row.from, row.numbersClear)
    const to = showNumber(row.to, row.numbersClear)
    return (
      <a
        class={`row track-row edge-${toneOf(row.label)}${row.ended ? ' ended' : ''}`}
        href={`#/calls/${encodeURIComponent(row.callSid)}`}
        tabIndex={row.inTabOrder ? 0 : -1}
        data-key={row.rowKey}
        aria-label={spoken(row, from, to)}
      >
        <span class="cell-verdict">
          <LabelBadge label={row.label} provisional={row.provisional} />
        </span>
        <span class="cell-call">
          <span class="mono">{shortSid(row.callSid)}</span>
          <span class="soft">
            {' '}
            {row.track}
            {row.now === '' ? '' : ` · ${row.now}`}
          </span>
        </span>
        <span class="cell-numbers">
          {from} <span class="soft">→</span> {to}
        </span>
        <span class="cell-time right">{row.time}</span>
        <span class="cell-line">
          <ScoreLine scores={row.scores} label={row.label} thresholds={row.thresholds} version={row.version} />
        </span>
        <span class={`cell-score right tone-text-${toneOf(row.label)}`}>{scoreText(row.score)}</span>
        <Fact name="confidence" value={percent(row.confidence)} />
        <Fact name="speech" value={duration(row.netSpeechMs)} />
        <Fact name="gaps" value={losses(row)} quiet={row.gapMs + row.lostMs === 0} />
      </a>
    )
  }
}

function Fact({ name, value, quiet }: { name: string; value: string; quiet?: boolean }) {
  return (
    <span class={`cell-${name} right fact${quiet ? ' soft quiet' : ''}`}>
      <span class="fact-name">{name} </span>
      {value}
    </span>
  )
}

function losses(row: TrackRowProps): string {
  return row.gapMs + row.lostMs === 0 ? 'none' : `${duration(row.gapMs)} · ${duration(row.lostMs)}`
}

function spoken(row: TrackRowProps, from: string, to: string): string {
  const score = row.score === null ? 'no score yet' : `score ${scoreText(row.score)}`
  const sound = `${labelWords[row.label].name}${row.provisional ? ', provisional' : ''}, ${score}`
  return `${sound}. Call ${shortSid(row.callSid)}, ${row.track}, from ${from} to ${to}, ${row.time}`
}
