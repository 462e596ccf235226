/** How many calls of a case got, or in shadow mode would have got, each action. Browser. */
import type { CaseView } from '../decisions/case-view.ts'
import type { CaseDetail } from './fraud-shapes.ts'
import { actionOrder, actionWords, countText } from './fraud-wording.ts'
import { percent } from './wording.ts'

export function CaseActions({ it, scores }: { it: CaseView; scores: CaseDetail['scores'] }) {
  const used = actionOrder.filter((action) => (scores.actions[action] ?? 0) > 0)
  const total = used.reduce((sum, action) => sum + (scores.actions[action] ?? 0), 0)
  return (
    <>
      <h3>{it.action.shadow ? 'What its calls would have got' : 'What its calls got'}</h3>
      {total === 0 ? (
        <p class="soft">No call has come under the case since it was opened.</p>
      ) : (
        <ul class="action-bars">
          {used.map((action) => {
            const count = scores.actions[action] ?? 0
            return (
              <li key={action}>
                <span class={`action-name action-${action}`}>{actionWords[action]}</span>
                <span class="action-bar" aria-hidden="true">
                  <span class={`action-fill fill-${action}`} style={{ width: `${(count / total) * 100}%` }} />
                </span>
                <span class="right">
                  {countText(count)} <span class="soft">{percent(count / total)}</span>
                </span>
              </li>
            )
          })}
        </ul>
      )}
    </>
  )
}
