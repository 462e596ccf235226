/**
 * What the policy did to a call, or would have done in shadow, and why: each action with what its rule asked, the
 * call's risk with the weight of each source, and two things a person can say: undo, and hands off. Browser.
 */
import { useState } from 'preact/hooks'
import type { ActionState, ActionView, CallDetail } from '../decisions/action-record.ts'
import type { CallRisk } from '../decisions/call-risk.ts'
import './actions.css'
import { api, problemText } from './api-client.ts'
import type { House } from './house.ts'
import { duration, localTime, scoreText } from './wording.ts'

const stateWords: Readonly<Record<ActionState, string>> = {
  planned: 'under way',
  done: 'done',
  failed: 'failed',
  shadow: 'in shadow',
  withheld: 'withheld',
  superseded: 'superseded',
  undone: 'undone',
}

export function CallActions({ call, house }: { call: CallDetail; house: House }) {
  const { actions, risk, handsOff, callSid } = call
  // Viewers see, operators say.
  const mayDecide = house.who.role === 'operator' || house.who.role === 'admin'
  const [problem, setProblem] = useState<string | null>(null)
  const say = (what: Promise<unknown>) => {
    setProblem(null)
    what.catch((thrown) => setProblem(problemText(thrown)))
  }
  if (actions.length === 0 && handsOff === null && call.state !== 'live') return null
  const shown = risk ?? actions.at(-1)?.evidence.risk ?? null
  return (
    <section class="panel actions" aria-labelledby="actions-title">
      <div class="panel-head">
        <h2 id="actions-title">Actions</h2>
        <p class="meaning">{summary(actions)}</p>
        {call.state === 'live' && mayDecide ? (
          <button
            type="button"
            aria-pressed={handsOff !== null}
            onClick={() => say(api.handsOff(callSid, handsOff === null))}
          >
            {handsOff === null ? 'Hands off' : 'Let the policy go on'}
          </button>
        ) : null}
      </div>
      {handsOff === null ? null : (
        <p>
          Hands off since {localTime(handsOff.at, true)}, says {handsOff.by}
          {handsOff.note === null ? '' : `: ${handsOff.note}`}.
        </p>
      )}
      {problem === null ? null : <p role="alert">{problem}</p>}
      {actions.length === 0 ? null : (
        <ol class="action-list">
          {actions.map((action) => (
            <Action
              key={action.id}
              action={action}
              mayUndo={mayDecide}
              onUndo={() => say(api.undo(callSid, action.id))}
            />
          ))}
        </ol>
      )}
      {shown === null ? null : <Risk risk={shown} />}
    </section>
  )
}

function summary(actions: readonly ActionView[]): string {
  if (actions.length === 0) return 'No rule of the policy has fired.'
  const inShadow = actions.filter((action) => action.shadow).length
  if (inShadow === actions.length) return 'Shadow mode: this is what would have been done.'
  return inShadow === 0 ? 'What the policy did.' : 'What the policy did; rules in shadow only say what they would do.'
}

interface ActionProps {
  readonly action: ActionView
  readonly mayUndo: boolean
  readonly onUndo: () => void
}

function Action({ action, mayUndo, onUndo }: ActionProps) {
  const { state, text, decidedAt, track, latencyMs, undoneAt, undoneBy } = action
  const facts = [
    localTime(decidedAt, true),
    `${track} track`,
    ...(latencyMs === null ? [] : [`request ${duration(latencyMs)} after the verdict`]),
    ...(undoneAt === null ? [] : [`undone ${localTime(undoneAt, true)} by ${undoneBy}`]),
  ]
  return (
    <li class={`action action-${state}`} data-rule={action.rule}>
      <span class="action-state">{stateWords[state]}</span>
      <div>
        <p>{text}</p>
        <p class="soft small">{facts.join(' · ')}</p>
        <Evidence action={action} />
      </div>
      {action.canUndo && mayUndo ? (
        <button type="button" onClick={onUndo}>
          Undo
        </button>
      ) : null}
    </li>
  )
}

function Evidence({ action }: { action: ActionView }) {
  const { verdict, windows, gaps, model, thresholds, risk } = action.evidence
  const facts: [string, string][] = [
    ['Score', scoreText(verdict.score)],
    ['Confidence', scoreText(verdict.confidence)],
    ['Net speech', duration(verdict.netSpeechMs)],
    ['Windows', `${windows.length} newest`],
    ['Gaps', `${gaps.length}, lost ${duration(verdict.lostMs)}`],
    ['Risk', scoreText(risk.score)],
    ['Synthetic from', String(thresholds['synthetic'] ?? '–')],
    ['Model', `${model.name} · ${model.sha256.slice(0, 12)}…`],
  ]
  return (
    <details>
      <summary>Evidence</summary>
      <dl class="figures">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </details>
  )
}

function Risk({ risk }: { risk: CallRisk }) {
  return (
    <details class="risk">
      <summary>Risk of the call: {scoreText(risk.score)}</summary>
      <p class="soft small">Voice and signalling together, as log-odds. It says nothing of who is calling.</p>
      <table class="risk-parts">
        <tbody>
          {risk.parts.map((part) => (
            <tr key={part.code}>
              <td class="risk-weight">{signed(part.logOdds)}</td>
              <td>{part.text}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  )
}

function signed(value: number): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(2)}`
}
