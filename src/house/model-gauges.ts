/** How models stand, for whoever scrapes the metrics. Main thread. */
import type { LabelledValue, Metrics } from '../core/metrics.ts'
import type { ModelWatch } from '../watch/model-watch.ts'
import type { ModelView, ShadowView } from '../worker/model-view.ts'

export function registerModelGauges(metrics: Metrics, watch: Pick<ModelWatch, 'views'>): void {
  const gauge = (name: string, help: string, labels: string[], of: (view: ModelView) => LabelledValue[]): void =>
    metrics.gauges(name, help, labels, () => watch.views().flatMap(of))
  const ofShadow = (name: string, help: string, read: (shadow: ShadowView) => number | null): void =>
    gauge(name, help, ['active', 'candidate'], ({ shadow }) => {
      const value = shadow === null ? null : read(shadow)
      if (shadow === null || value === null) return []
      return [{ labels: { active: shadow.active, candidate: shadow.candidate }, value }]
    })

  gauge('model_serving', 'What judges new work: always 1', ['name', 'model'], ({ name, serving }) => [
    { labels: { name, model: serving }, value: 1 },
  ])
  gauge('model_tracks', 'Live tracks by the model that judges them', ['model'], ({ tracks }) =>
    Object.entries(tracks ?? {}).map(([model, value]) => ({ labels: { model }, value })),
  )
  gauge('model_psi', 'Population stability index of today, so far', ['model', 'quantity'], ({ drift }) => {
    const psi = Object.entries(drift?.days[0]?.psi ?? {})
    return psi.flatMap(([quantity, value]) =>
      drift === null || value === null ? [] : [{ labels: { model: drift.model, quantity }, value }],
    )
  })
  ofShadow(
    'model_shadow_share',
    'Share of what the active model judged that the candidate judged too',
    (it) => it.share,
  )
  ofShadow('model_shadow_cpu_share', 'Share of one core that the candidate takes', (it) => it.cpuShare)
  ofShadow('model_shadow_running', '1 while the candidate is tried, 0 when it failed', (it) =>
    it.state === 'running' ? 1 : 0,
  )
  ofShadow('model_shadow_agreement', 'Share of inputs with the same label by both', (it) => it.agreement.labelAgreement)
  ofShadow('model_shadow_difference', 'Mean of candidate minus active, as probabilities', (it) => {
    return it.agreement.meanDifference
  })
}
