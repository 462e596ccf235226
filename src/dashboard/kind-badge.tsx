/**
 * A kind of fraud, a case's standing and an action as text, shape and colour together, never by colour alone. Browser.
 */
import type { ComponentChildren } from 'preact'
import type { CaseView } from '../decisions/case-view.ts'
import type { CaseKind } from '../decisions/fraud-signal.ts'
import { actionWords, kindWords, standing, stateWords } from './fraud-wording.ts'
import { Picture } from './label-badge.tsx'

const shapes: Readonly<Record<CaseKind, ComponentChildren>> = {
  flash_call: <path d="M9.3 1.5 3.5 9h4L7 14.5 12.7 7h-4Z" />,
  wangiri: <path d="M6 3 2.5 6.5 6 10M2.5 6.5h7a4 4 0 0 1 4 4V13" />,
  irsf: (
    <>
      <circle cx="8" cy="8" r="6.2" />
      <path d="M1.8 8h12.4M8 1.8c4 4 4 8.4 0 12.4-4-4-4-8.4 0-12.4Z" />
    </>
  ),
  robocall: <path d="M2.5 6h11v7.5h-11ZM8 6V2.5M5.8 9v1.2M10.2 9v1.2" />,
  pbx_hack: <path d="M3.5 7.5h9v6.5h-9ZM5.5 7.5V5a2.6 2.6 0 0 1 5-1" />,
  cli_spoof: (
    <>
      <path d="M1.8 5c4-1.5 8.4-1.5 12.4 0 0 4-1.8 6-3.8 6-1.2 0-1.6-1.2-2.4-1.2S6.8 11 5.6 11C3.6 11 1.8 9 1.8 5Z" />
      <path d="M5 7.3h1M10 7.3h1" />
    </>
  ),
  short_answer_burst: <path d="M2.5 13.5v-4M6.2 13.5V6M9.8 13.5v-3M13.5 13.5v-11" />,
  anomaly: <path d="M1.5 9.5h3l2-6.5 3 10.5 2-6h3" />,
}

export function KindPicture({ kind }: { kind: CaseKind }) {
  return <Picture>{shapes[kind]}</Picture>
}

export type CaseTone = 'synthetic' | 'inconclusive' | 'insufficient' | 'human'

/** How much it presses: settled cases are grey, sure ones red, the rest amber. */
export function caseTone({ state, verdict, score }: CaseView): CaseTone {
  if (verdict === 'dismissed' || state === 'closed' || state === 'merged') return 'insufficient'
  if (state === 'cooled' && verdict === null) return 'insufficient'
  return score >= 0.9 || verdict === 'confirmed' ? 'synthetic' : 'inconclusive'
}

export function KindBadge({ it, large }: { it: CaseView; large?: boolean }) {
  const words = kindWords[it.kind]
  return (
    <span class={`badge tone-${caseTone(it)}${large ? ' large' : ''}`} title={words.meaning}>
      <KindPicture kind={it.kind} />
      <span class="badge-text">{words.name}</span>
    </span>
  )
}

export function Standing({ it }: { it: CaseView }) {
  return (
    <span class={`standing standing-${it.verdict ?? it.state}`} title={stateWords[it.state].meaning}>
      {standing(it)}
    </span>
  )
}

/** What the policy asks for, and whether it is done or, in shadow mode, only said. */
export function ActionBadge({ it }: { it: CaseView }) {
  const { intended, effective, shadow } = it.action
  const only = shadow && intended !== 'allow'
  return (
    <span class="action" title={actionTitle(it)}>
      <span class={`action-name action-${intended}`}>{actionWords[intended]}</span>
      {only ? <span class="shadow-mark">shadow</span> : null}
      {!only && effective !== intended ? <span class="shadow-mark">now {actionWords[effective]}</span> : null}
    </span>
  )
}

function actionTitle({ action: { intended, effective, shadow } }: CaseView): string {
  if (intended === 'allow') return 'Calls are let through.'
  if (shadow) return `Shadow mode: calls are let through; without it they would get: ${actionWords[intended]}.`
  return effective === intended ? `Calls get: ${actionWords[intended]}.` : `Calls get: ${actionWords[effective]}.`
}
