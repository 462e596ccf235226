/**
 * One case: its facts, why it was opened, what was done about its calls, a plot of its subject's calls, its evidence
 * and the place to decide. It moves with the case's events. Browser.
 */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { CaseView } from '../decisions/case-view.ts'
import { api } from './api-client.ts'
import { useAsked } from './asked.ts'
import { CaseActions } from './case-actions.tsx'
import { CaseChart } from './case-chart.tsx'
import { CaseDecisionForm } from './case-decision.tsx'
import { CdrTable, NumberLink } from './cdr-table.tsx'
import type { CaseDetail } from './fraud-shapes.ts'
import { age, countText, kindWords, numberOf, subjectText, subjectType, subjectValue } from './fraud-wording.ts'
import type { House } from './house.ts'
import { ActionBadge, caseTone, KindBadge, Standing } from './kind-badge.tsx'
import { Picture } from './label-badge.tsx'
import { useEverySecond } from './told.ts'
import { localTime, scoreText } from './wording.ts'

const askAgainMs = 15_000
/** After an event: the storage needs a moment to know what the event knows. */
const askSoonMs = 1500

export function CasePage({ house, id, numbersClear }: { house: House; id: string; numbersClear: boolean }) {
  const { value, problem, again } = useAsked(id, () => api.case(id), askAgainMs)
  const it = useNewest(house, id, value, again)
  const title = useRef<HTMLHeadingElement>(null)
  // Focus follows every change of case
  useEffect(() => title.current?.focus(), [id])
  return (
    <article class="call-page">
      <Back />
      <h1 ref={title} tabIndex={-1}>
        {it === null ? 'Case' : `${kindWords[it.kind].name}: ${subjectText(it.subject, numbersClear)}`}
      </h1>
      {it === null && problem === null ? <p class="nothing">Asking for the case …</p> : null}
      {problem === null ? null : (
        <p class="nothing" role="alert">
          {problem}
        </p>
      )}
      {it === null || value === null ? null : (
        <>
          {value.partial === undefined ? null : (
            <p class="nothing" role="alert">
              Storage does not answer: plot, counts and evidence are missing for now.
            </p>
          )}
          <CaseFacts {...{ house, it, numbersClear }} />
          <section class={`panel edge-${caseTone(it)}`} aria-label="The case">
            <div class="panel-head">
              <KindBadge it={it} large />
              <Standing it={it} />
              <p class="meaning">{kindWords[it.kind].meaning}</p>
            </div>
            <div class="panel-body">
              <div class="panel-verdict">
                <h3>Why</h3>
                <ul class="reasons">
                  {it.reasons.map(({ code, text }) => (
                    <li key={code}>{text}</li>
                  ))}
                </ul>
                <CaseActions it={it} scores={value.scores} />
              </div>
              <CaseDecisionForm house={house} it={it} />
            </div>
          </section>
          <section class="panel" aria-label="Calls of its subject">
            <CaseChart it={it} series={value.series} />
          </section>
          <Evidence cdrs={value.cdrs} kept={it.evidence.length} numbersClear={numbersClear} />
        </>
      )}
    </article>
  )
}

export function Back() {
  return (
    <a class="back" href="#/fraud">
      <Picture>
        <path d="M9.5 3 4.5 8l5 5" />
      </Picture>
      All cases
    </a>
  )
}

/** The case as last asked or as its last event told it, whichever came later. */
function useNewest(house: House, id: string, asked: CaseDetail | null, again: () => void): CaseView | null {
  const [heard, setHeard] = useState<CaseView | null>(null)
  // A new answer is newer than what was heard before
  useEffect(() => setHeard(null), [asked])
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined
    const leave = house.onCase((event) => {
      if (event.case.id !== id) return
      setHeard(event.case)
      timer ??= setTimeout(() => {
        timer = undefined
        again()
      }, askSoonMs)
    })
    return () => {
      leave()
      clearTimeout(timer)
    }
  }, [house, id, again])
  return heard ?? asked
}

function CaseFacts({ house, it, numbersClear }: { house: House; it: CaseView; numbersClear: boolean }) {
  useEverySecond()
  const number = numberOf(it.subject)
  const { expiresAt } = it.action
  const leftMs = expiresAt === null ? null : Date.parse(expiresAt) - house.nowMs()
  const facts: [string, string][] = [
    ['Calls', countText(it.calls)],
    ['First seen', localTime(it.firstSeenAt, true)],
    ['Opened', localTime(it.openedAt, true)],
    ['Last seen', `${localTime(it.lastSeenAt, true)} (${age(house.nowMs() - Date.parse(it.lastSeenAt))} ago)`],
  ]
  if (leftMs !== null && leftMs > 0) facts.push(['Action ends in', age(leftMs)])
  if (it.absorbed > 0) facts.push(['Took in', `${countText(it.absorbed)} ${it.absorbed === 1 ? 'case' : 'cases'}`])
  return (
    <dl class="facts">
      <div>
        <dt>Subject: {subjectType(it.subject)}</dt>
        <dd>
          {number === null ? (
            subjectValue(it.subject, numbersClear)
          ) : (
            <NumberLink number={number} clear={numbersClear} />
          )}
        </dd>
      </div>
      <div>
        <dt>Score</dt>
        <dd class={`tone-text-${caseTone(it)}`}>{scoreText(it.score)}</dd>
      </div>
      <div>
        <dt>Action</dt>
        <dd>
          <ActionBadge it={it} />
        </dd>
      </div>
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}

interface EvidenceProps {
  readonly cdrs: CaseDetail['cdrs']
  /** Ids the case keeps. */
  readonly kept: number
  readonly numbersClear: boolean
}

function Evidence({ cdrs, kept, numbersClear }: EvidenceProps) {
  return (
    <section class="panel" aria-labelledby="evidence-title">
      <div class="chart-head">
        <h3 id="evidence-title">Evidence</h3>
        <p class="soft small">
          {cdrs.length >= kept
            ? `${cdrs.length} call records`
            : `${cdrs.length} of ${kept} call records are stored yet`}
          : those that opened the case, and the newest
        </p>
      </div>
      {cdrs.length === 0 ? (
        <p class="nothing">No call record of the case is stored yet; they come within seconds.</p>
      ) : (
        <CdrTable cdrs={cdrs} name="Evidence of the case" numbersClear={numbersClear} />
      )}
    </section>
  )
}
