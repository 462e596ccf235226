/**
 * One track of a call in full: verdict, score on its scale, reasons, figures, timeline, flagged stretches and gaps.
 * Browser.
 */
import { useMemo } from 'preact/hooks'
import type { TrackVerdict } from '../decisions/verdict-view.ts'
import type { Thresholds } from './api-client.ts'
import { LabelBadge, toneOf } from './label-badge.tsx'
import { Timeline } from './timeline.tsx'
import { flagStretches } from './timeline-stretches.ts'
import { clockTime, duration, flagWords, labelWords, percent, scoreText } from './wording.ts'

export function TrackPanel({ track, thresholds }: { track: TrackVerdict; thresholds: Thresholds | null }) {
  return (
    <section class={`panel edge-${toneOf(track.label)}`} aria-label={`${track.track} track`} data-track={track.track}>
      <div class="panel-head">
        <h2>{track.track === 'inbound' ? 'Inbound track' : 'Outbound track'}</h2>
        <LabelBadge label={track.label} provisional={track.provisional} large />
        <p class="meaning">{labelWords[track.label].meaning}</p>
      </div>
      <div class="panel-body">
        <div class="panel-verdict">
          <Scale track={track} thresholds={thresholds} />
          <h3>Why</h3>
          <ul class="reasons">
            {track.reasons.map((reason) => (
              <li key={reason.code}>{reason.text}</li>
            ))}
          </ul>
        </div>
        <Figures track={track} />
      </div>
      <div class="chart-head">
        <h3>Window scores over the call</h3>
        {thresholds ? (
          <p class="soft small legend">
            <span class="swatch zone-synthetic" aria-hidden="true" /> synthetic from {thresholds.synthetic.toFixed(2)}
            <span class="swatch zone-human" aria-hidden="true" /> human to {thresholds.human.toFixed(2)}
          </p>
        ) : null}
      </div>
      {track.windows.length === 0 ? (
        <p class="nothing">No window was judged.</p>
      ) : (
        <Timeline windows={track.windows} gaps={track.gaps} thresholds={thresholds} summary={summary(track)} />
      )}
      <Stretches track={track} />
    </section>
  )
}

/** The score as a place on 0..1, between the thresholds. */
function Scale({ track, thresholds }: { track: TrackVerdict; thresholds: Thresholds | null }) {
  const place = (value: number) => ({ left: `${value * 100}%` })
  return (
    <div class="scale">
      <p class="scale-score">
        <span class={`scale-number tone-text-${toneOf(track.label)}`}>{scoreText(track.score)}</span>
        <span class="soft"> probability that the speech is synthetic</span>
      </p>
      <div class="scale-bar" aria-hidden="true">
        {thresholds ? (
          <>
            <span class="scale-zone human" style={{ width: `${thresholds.human * 100}%` }} />
            <span class="scale-zone synthetic" style={place(thresholds.synthetic)} />
          </>
        ) : null}
        {track.score === null ? null : <span class="scale-mark" style={place(track.score)} />}
      </div>
      <div class="scale-ends soft" aria-hidden="true">
        <span>0 human</span>
        <span>synthetic 1</span>
      </div>
    </div>
  )
}

function Figures({ track }: { track: TrackVerdict }) {
  const figures: [string, string][] = [
    ['Confidence', percent(track.confidence)],
    ['Net speech', duration(track.netSpeechMs)],
    ['Audio', duration(track.audioMs)],
    ['Filled gaps', duration(track.gapMs)],
    ['Lost audio', duration(track.lostMs)],
    ['Duplicates', String(track.duplicates)],
    ['Windows', String(track.windows.length)],
    ...signalFigures(track.signals),
    ['Model', track.model || '–'],
  ]
  return (
    <dl class="figures">
      {figures.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}

/** What was heard besides the voice: no part of the score. */
function signalFigures(signals: TrackVerdict['signals']): [string, string][] {
  if (signals === undefined) return []
  const { responses, responseLatencyMsMedian, comparedPhrases, repeatedPhrases, pauseFloorSpreadDb } = signals
  const answers = responses === 1 ? '1 answer' : `${responses} answers`
  return [
    ['Answers after', responseLatencyMsMedian === null ? '–' : `${duration(responseLatencyMsMedian)} (${answers})`],
    ['Repeated phrases', comparedPhrases === 0 ? '–' : `${repeatedPhrases} of ${comparedPhrases}`],
    ['Pauses differ by', pauseFloorSpreadDb === null ? '–' : `${pauseFloorSpreadDb.toFixed(1)} dB`],
  ]
}

const stretchesShown = 200

/** The shaded parts as text, for who cannot see the picture or wants the exact times. */
function Stretches({ track }: { track: TrackVerdict }) {
  const rows = useMemo(
    () =>
      [...flagStretches(track.windows, track.gaps)]
        .flatMap(([flag, stretches]) => stretches.map((stretch) => ({ flag, ...stretch })))
        .sort((a, b) => a.startMs - b.startMs),
    [track.windows, track.gaps],
  )
  if (rows.length === 0) return <p class="soft small">No silence, music, tones, keypad or gaps were heard.</p>
  return (
    <details>
      <summary>
        {rows.length} flagged {rows.length === 1 ? 'stretch' : 'stretches'} as a list
      </summary>
      <ol class="stretches">
        {rows.slice(0, stretchesShown).map((row) => (
          <li key={`${row.flag} ${row.startMs}`}>
            <span class={`swatch flag-${row.flag}`} aria-hidden="true" />
            <span class="stretch-name">{flagWords[row.flag]}</span>
            <span class="soft">
              {clockTime(row.startMs)} – {clockTime(row.endMs)} ({duration(row.endMs - row.startMs)})
            </span>
          </li>
        ))}
      </ol>
    </details>
  )
}

function summary(track: TrackVerdict): string {
  const scored = track.windows.flatMap((window) => window.score ?? [])
  const range = scored.length === 0 ? 'no scores' : `scores from ${min(scored)} to ${max(scored)}`
  const length = clockTime(track.windows.at(-1)?.endMs ?? 0)
  const name = labelWords[track.label].name
  return `Window scores over ${length} of the ${track.track} track: ${range}, ${name}. Arrow keys read it.`
}

function min(scores: readonly number[]): string {
  return scoreText(scores.reduce((least, score) => Math.min(least, score), 1))
}

function max(scores: readonly number[]): string {
  return scoreText(scores.reduce((most, score) => Math.max(most, score), 0))
}
