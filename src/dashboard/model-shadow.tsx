/** A candidate beside the active model: how much both judged, and how far they agree. Browser. */
import { type ScoreLabel, scoreLabels } from '../inference/agreement.ts'
import type { ModelView, ShadowView } from '../worker/model-view.ts'
import { countText } from './fraud-wording.ts'
import { localTime, percent } from './wording.ts'

const words: Readonly<Record<ModelView['kind'], Readonly<Record<ScoreLabel, string>>>> = {
  voice: { synthetic: 'synthetic', between: 'between', human: 'human' },
  flash_call: { synthetic: 'flash call', between: 'none', human: '' },
}

export function ShadowPanel({ model, shadow }: { model: ModelView; shadow: ShadowView | null }) {
  return (
    <section class="panel model-panel" aria-label={`Candidate of ${model.name}`}>
      <h3>Candidate in shadow</h3>
      {shadow === null ? (
        <p class="soft">None. A version that is tried judges the same calls, and nothing follows from what it says.</p>
      ) : (
        <Shadow kind={model.kind} shadow={shadow} />
      )}
    </section>
  )
}

function Shadow({ kind, shadow }: { kind: ModelView['kind']; shadow: ShadowView }) {
  const { agreement, candidate, active, since, share, cpuShare, cpuShareMax, state, problem } = shadow
  const difference = agreement.meanDifference
  const figures: [string, string][] = [
    ['Both judged', countText(agreement.compared)],
    ['Of all', share === null ? '–' : percent(share)],
    ['Same label', agreement.labelAgreement === null ? '–' : percent(agreement.labelAgreement)],
    ['Mean difference', difference === null ? '–' : signed(difference)],
    ['CPU, of one core', `${(cpuShare * 100).toFixed(1)} of ${Math.round(cpuShareMax * 100)} %`],
  ]
  return (
    <>
      <p>
        <strong>{candidate}</strong> beside {active}, since {localTime(since)}
        {state === 'failed' ? <span class="model-problem"> – out: {problem}</span> : null}
      </p>
      <dl class="figures">
        {figures.map(([name, text]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
      {agreement.compared === 0 ? null : <Labels kind={kind} shadow={shadow} />}
    </>
  )
}

function Labels({ kind, shadow: { agreement, active, candidate } }: { kind: ModelView['kind']; shadow: ShadowView }) {
  const shown = scoreLabels.filter((label) => words[kind][label] !== '')
  return (
    <table class="figures-table model-labels">
      <caption class="soft small">
        What {active} said (rows), and {candidate} of the same (columns)
      </caption>
      <thead>
        <tr>
          <td />
          {shown.map((label) => (
            <th key={label} scope="col" class="right">
              {words[kind][label]}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {shown.map((row) => (
          <tr key={row}>
            <th scope="row">{words[kind][row]}</th>
            {shown.map((column) => (
              <td key={column} class={`right ${row === column ? 'same' : ''}`}>
                {countText(agreement.labels[row][column])}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function signed(value: number): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(3)}`
}
