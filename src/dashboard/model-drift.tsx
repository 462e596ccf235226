/** Whether what a model sees and says is still what it was: a stability index per day and quantity. Browser. */
import { type DriftState, driftState } from '../inference/drift-state.ts'
import type { DriftView } from '../inference/drift-watch.ts'
import { countText } from './fraud-wording.ts'

const daysShown = 14

const quantityWords: Readonly<Record<string, string>> = {
  score: 'Score',
  speechShare: 'Speech',
  lowFeatures: 'Low bands',
  highFeatures: 'High bands',
  logAttempts: 'Attempts',
  answeredShare: 'Answered',
  blinkShare: 'Blinks',
  ringMeanS: 'Ringing',
  distinctBShare: 'Called',
}

const stateWords: Readonly<Record<DriftState, string>> = {
  steady: 'steady',
  moved: 'moved',
  shifted: 'shifted',
  unknown: 'not known yet',
}

export function DriftPanel({ drift }: { drift: DriftView | null }) {
  if (drift === null) return null
  return (
    <section class="panel model-panel model-drift" aria-label={`Drift of ${drift.model}`}>
      <h3>Drift</h3>
      <p class="soft small">{referenceText(drift)}</p>
      {drift.days.length === 0 ? (
        <p class="soft">Nothing was judged yet.</p>
      ) : (
        <div class="model-days">
          <table class="figures-table">
            <caption class="unseen">Population stability index per day</caption>
            <thead>
              <tr>
                <th scope="col">Day (UTC)</th>
                <th scope="col">All in all</th>
                <th scope="col" class="right">
                  Judged
                </th>
                {drift.quantities.map(({ name, about }) => (
                  <th key={name} scope="col" class="right" title={about}>
                    {quantityWords[name] ?? name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {drift.days.slice(0, daysShown).map((day, n) => (
                <tr key={day.day} data-day={day.day}>
                  <th scope="row">
                    {day.day}
                    {n === 0 ? ' so far' : ''}
                  </th>
                  <td class={`drift-${day.state}`}>{stateWords[day.state]}</td>
                  <td class="right">{countText(day.samples)}</td>
                  {drift.quantities.map(({ name }) => (
                    <Index key={name} psi={day.psi[name] ?? null} />
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  )
}

function Index({ psi }: { psi: number | null }) {
  return <td class={`right drift-${driftState(psi)}`}>{psi === null ? '–' : psi.toFixed(2)}</td>
}

function referenceText({ reference: { from, state, days, samples } }: DriftView): string {
  const rule = 'Population stability index: below 0.1 steady, from 0.25 on shifted.'
  if (from === 'manifest') return `Against the distributions in the manifest (${countText(samples)}). ${rule}`
  if (state === 'complete') return `Against its first ${days} days (${countText(samples)} judged). ${rule}`
  return `The first days with traffic become the reference: ${days} so far. ${rule}`
}
