/**
 * A person's word on a case: confirm, dismiss, close, undo, with a note. Who may not decide sees the buttons, and why
 * they do not work. Browser.
 */
import { useState } from 'preact/hooks'
import type { CaseAct } from '../decisions/case-book.ts'
import type { CaseView } from '../decisions/case-view.ts'
import { api, problemText } from './api-client.ts'
import type { CaseEvent } from './fraud-shapes.ts'
import type { House } from './house.ts'
import { localTime } from './wording.ts'

interface Choice {
  readonly decision: CaseAct
  readonly name: string
  readonly effect: string
}

const confirm = {
  decision: 'confirm',
  name: 'Confirm fraud',
  effect: 'It is fraud. The action goes on while evidence comes.',
} as const
const dismiss = {
  decision: 'dismiss',
  name: 'Dismiss',
  effect: 'It is not. The action ends at once; for a day (cdr.cases.dismissMs) no such case opens on the subject.',
} as const
const close = {
  decision: 'close',
  name: 'Close',
  effect: 'Over, without a verdict. New evidence opens another.',
} as const
const undo = {
  decision: 'confirm',
  name: 'Undo: it is fraud',
  effect: 'Takes the dismissal back and confirms.',
} as const

/** What can be decided about a case as it stands. */
function choicesFor({ state, verdict }: Pick<CaseView, 'state' | 'verdict'>): readonly Choice[] {
  if (state === 'merged') return []
  if (verdict === 'dismissed') return [undo]
  if (state === 'closed') return verdict === null ? [confirm, dismiss] : [dismiss]
  return verdict === null ? [confirm, dismiss, close] : [dismiss, close]
}

const noteLengthMax = 500

const changes: Readonly<Record<CaseAct, CaseEvent['change']>> = {
  confirm: 'confirmed',
  dismiss: 'dismissed',
  close: 'closed',
}

export function CaseDecisionForm({ house, it }: { house: House; it: CaseView }) {
  const [note, setNote] = useState('')
  const [waiting, setWaiting] = useState(false)
  const [problem, setProblem] = useState<string | null>(null)
  const [told, setTold] = useState('')
  const { role } = house.who
  const may = role === 'operator' || role === 'admin'
  const choices = choicesFor(it)
  const decide = async (decision: CaseAct) => {
    setWaiting(true)
    setProblem(null)
    try {
      const decided = await api.decide(it.id, decision, note.trim())
      house.tellCase({ change: changes[decision], case: decided })
      setTold(`The case is ${changes[decision]}.`)
      setNote('')
    } catch (thrown) {
      setProblem(problemText(thrown))
    }
    setWaiting(false)
  }
  return (
    <section class="decision" aria-labelledby="decision-title">
      <h3 id="decision-title">Your decision</h3>
      <Decided it={it} />
      {choices.length === 0 ? null : (
        <>
          <NoteField note={note} may={may} onNote={setNote} />
          <div class="choices">
            {choices.map((choice) => (
              <button
                type="button"
                key={choice.name}
                class={choice.decision === 'confirm' ? 'primary' : ''}
                disabled={!may || waiting}
                title={choice.effect}
                aria-describedby="decision-why"
                onClick={() => void decide(choice.decision)}
              >
                {choice.name}
              </button>
            ))}
          </div>
        </>
      )}
      <p id="decision-why" class="soft small">
        {may || choices.length === 0 ? null : `Your key has role ${role ?? 'none'}; deciding needs role operator.`}
      </p>
      {may ? <Effects choices={choices} /> : null}
      <p class="small" role="status">
        {told}
      </p>
      {problem === null ? null : (
        <p class="form-problem" role="alert">
          {problem}
        </p>
      )}
    </section>
  )
}

function NoteField({ note, may, onNote }: { note: string; may: boolean; onNote: (note: string) => void }) {
  return (
    <>
      <label for="note">Note, for those who come after</label>
      <textarea
        id="note"
        rows={2}
        maxLength={noteLengthMax}
        value={note}
        disabled={!may}
        aria-describedby="decision-why"
        onInput={(event) => onNote(event.currentTarget.value)}
      />
    </>
  )
}

function Effects({ choices }: { choices: readonly Choice[] }) {
  return (
    <ul class="effects soft small">
      {choices.map(({ name, effect }) => (
        <li key={name}>
          <strong>{name}</strong>: {effect}
        </li>
      ))}
    </ul>
  )
}

function Decided({ it }: { it: CaseView }) {
  if (it.state === 'merged') {
    return it.mergedInto === null ? null : (
      <p>
        A broader case took this one in: <a href={`#/fraud/${encodeURIComponent(it.mergedInto)}`}>go there to decide</a>
        .
      </p>
    )
  }
  if (it.decidedAt === null) return null
  return (
    <p>
      {it.verdict === null ? 'Closed' : it.verdict === 'confirmed' ? 'Confirmed' : 'Dismissed'} by {it.decidedBy ?? '–'}
      , {localTime(it.decidedAt)}
      {it.note === null || it.note === '' ? '.' : <q class="note">{it.note}</q>}
    </p>
  )
}
