/** One case as a row: a link to its page, readable as a table at a desk and as a card on a phone. Browser. */
import type { CaseView } from '../decisions/case-view.ts'
import {
  actionWords,
  age,
  countText,
  kindWords,
  standing,
  subjectText,
  subjectType,
  subjectValue,
} from './fraud-wording.ts'
import { ActionBadge, caseTone, KindBadge, Standing } from './kind-badge.tsx'
import { localTime, scoreText } from './wording.ts'

interface CaseRowProps {
  readonly it: CaseView
  readonly nowMs: number
  readonly numbersClear: boolean
  readonly inTabOrder: boolean
}

export function CaseHeads() {
  return (
    <div class="row case-grid row-heads" aria-hidden="true">
      <span>Kind</span>
      <span>Subject</span>
      <span>Why</span>
      <span>State</span>
      <span>Action</span>
      <span class="right">Calls</span>
      <span class="right">Age</span>
      <span class="right">Last seen</span>
      <span class="right">Score</span>
    </div>
  )
}

export function CaseRow({ it, nowMs, numbersClear, inTabOrder }: CaseRowProps) {
  return (
    <a
      class={`row case-grid case-row edge-${caseTone(it)}`}
      href={`#/fraud/${encodeURIComponent(it.id)}`}
      tabIndex={inTabOrder ? 0 : -1}
      data-key={it.id}
      aria-label={spoken(it, nowMs, numbersClear)}
    >
      <span class="case-kind">
        <KindBadge it={it} />
      </span>
      <span class="case-subject" title={subjectText(it.subject, numbersClear)}>
        <span class="soft">{subjectType(it.subject)}</span> {subjectValue(it.subject, numbersClear)}
      </span>
      <span class="case-why soft">{it.reasons[0]?.text ?? ''}</span>
      <span class="case-state">
        <Standing it={it} />
      </span>
      <span class="case-action">
        <ActionBadge it={it} />
      </span>
      <span class="case-calls right">
        {countText(it.calls)}
        <span class="fact-name"> {it.calls === 1 ? 'call' : 'calls'}</span>
      </span>
      <span class="case-age right" title={`first seen ${localTime(it.firstSeenAt, true)}`}>
        <span class="fact-name">since </span>
        {age(nowMs - Date.parse(it.openedAt))}
      </span>
      <span class="case-seen right soft">
        <span class="fact-name">seen </span>
        {age(nowMs - Date.parse(it.lastSeenAt))} ago
      </span>
      <span class={`case-score right tone-text-${caseTone(it)}`}>{scoreText(it.score)}</span>
    </a>
  )
}

function spoken(it: CaseView, nowMs: number, clear: boolean): string {
  const { intended, shadow } = it.action
  const action = `${actionWords[intended]}${shadow && intended !== 'allow' ? ' in shadow mode' : ''}`
  return [
    `${kindWords[it.kind].name}, ${subjectText(it.subject, clear)}`,
    `${standing(it)}, score ${scoreText(it.score)}`,
    `${countText(it.calls)} calls, open for ${age(nowMs - Date.parse(it.openedAt))}`,
    `${action}. ${it.reasons[0]?.text ?? ''}`,
  ].join('. ')
}
