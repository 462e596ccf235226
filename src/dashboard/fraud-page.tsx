/**
 * Fraud: the live cases, worst first, moved by events, and below them the cases that are over, newest first. The kinds
 * above are also the filter of both. Rows keep their places while somebody points at them. Browser.
 */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { CaseView } from '../decisions/case-view.ts'
import { type CaseKind, caseKinds } from '../decisions/fraud-signal.ts'
import { useQuery } from './address.ts'
import { CaseHeads, CaseRow } from './case-row.tsx'
import { type CaseStore, worstCaseFirst } from './case-store.ts'
import { ClosedCases } from './closed-cases.tsx'
import { Feeding } from './feeding.tsx'
import { FraudDay } from './fraud-day.tsx'
import { kindWords } from './fraud-wording.ts'
import type { House } from './house.ts'
import { KindPicture } from './kind-badge.tsx'
import { RowList } from './row-list.tsx'
import { useSteadyOrder } from './steady-order.ts'
import { useEverySecond, useTold } from './told.ts'

const shownStep = 50
const noFilter = { kind: '', state: '', ended: '' }

export function FraudPage({ house, numbersClear }: { house: House; numbersClear: boolean }) {
  useTold(house.cases.subscribe)
  const [filter, change] = useQuery(noFilter)
  const title = useRef<HTMLHeadingElement>(null)
  useEffect(() => title.current?.focus(), [])
  const { cases } = house.cases
  const open = [...cases.values()].filter(({ state }) => state === 'open').length
  return (
    <>
      <h1 class="unseen" ref={title} tabIndex={-1}>
        Fraud
      </h1>
      <section aria-labelledby="cases-title">
        <div class="section-head">
          <h2 id="cases-title">Live cases</h2>
          <p class="soft" data-test="case-counts">
            {open} open · {cases.size - open} cooled{house.cases.isCut ? ': the worst of more' : ''}
          </p>
          <ShadowNote cases={cases} />
          <search class="filters">
            <select
              aria-label="State of live cases"
              value={filter.state}
              onChange={(event) => change({ state: event.currentTarget.value })}
            >
              <option value="">Open and cooled</option>
              <option value="open">Open only</option>
              <option value="cooled">Cooled only</option>
            </select>
          </search>
        </div>
        <Kinds cases={cases} kind={filter.kind} onKind={(kind) => change({ kind })} />
        <LiveCases house={house} numbersClear={numbersClear} kind={filter.kind} state={filter.state} />
      </section>
      <FraudDay />
      <ClosedCases
        {...{ house, numbersClear }}
        kind={filter.kind}
        ended={filter.ended}
        onEnded={(ended) => change({ ended })}
      />
    </>
  )
}

interface LiveCasesProps {
  readonly house: House
  readonly numbersClear: boolean
  readonly kind: string
  readonly state: string
}

function LiveCases({ house, numbersClear, kind, state }: LiveCasesProps) {
  useEverySecond()
  const [shown, setShown] = useState(shownStep)
  const [tabKey, setTabKey] = useState<string | null>(null)
  const busy = useRef(false)
  const { cases } = house.cases
  const ordered = useSteadyOrder(cases, () => worstCaseFirst(cases.values()).map(({ id }) => id), busy)
  const wanted = ordered.filter((it) => (kind === '' || it.kind === kind) && (state === '' || it.state === state))
  const visible = wanted.slice(0, shown)
  const stopKey = visible.some(({ id }) => id === tabKey) ? tabKey : visible[0]?.id
  if (visible.length === 0) return <Nothing store={house.cases} />
  return (
    <>
      <div class="table">
        <CaseHeads />
        <RowList
          name="Live cases, worst first"
          onBusy={(is) => {
            busy.current = is
          }}
          onFocusRow={setTabKey}
        >
          {visible.map((it) => (
            <CaseRow
              key={it.id}
              it={it}
              nowMs={house.nowMs()}
              numbersClear={numbersClear}
              inTabOrder={it.id === stopKey}
            />
          ))}
        </RowList>
      </div>
      {wanted.length > shown ? (
        <button type="button" class="more" onClick={() => setShown(shown + shownStep)}>
          Show {Math.min(shownStep, wanted.length - shown)} more of {wanted.length - shown}
        </button>
      ) : null}
    </>
  )
}

/** Says it once above the list, so that nobody takes an intended block for a real one. */
function ShadowNote({ cases }: { cases: ReadonlyMap<string, CaseView> }) {
  if (![...cases.values()].some(({ action }) => action.shadow)) return null
  return (
    <p class="shadow-note" title="cdr.policy.shadow: actions are computed and told, calls are let through">
      Shadow mode: actions are only said, no call is touched
    </p>
  )
}

interface KindsProps {
  readonly cases: ReadonlyMap<string, CaseView>
  readonly kind: string
  readonly onKind: (kind: string) => void
}

function Kinds({ cases, kind, onKind }: KindsProps) {
  const counts = new Map<CaseKind, number>()
  for (const it of cases.values()) counts.set(it.kind, (counts.get(it.kind) ?? 0) + 1)
  return (
    // biome-ignore lint/a11y/useSemanticElements: a set of toggles, not a form
    <div class="kinds" role="group" aria-label="Live cases by kind; press one to show only those">
      {caseKinds.map((each) => (
        <button
          type="button"
          key={each}
          class={`kind${counts.has(each) ? '' : ' zero'}`}
          aria-pressed={kind === each}
          title={kindWords[each].meaning}
          onClick={() => onKind(kind === each ? '' : each)}
        >
          <KindPicture kind={each} />
          {kindWords[each].name}
          <span class="kind-count">{counts.get(each) ?? 0}</span>
        </button>
      ))}
    </div>
  )
}

function Nothing({ store }: { store: CaseStore }) {
  if (store.problem !== null) {
    return (
      <p class="nothing" role="alert">
        Fraud cases cannot be shown: {store.problem}
      </p>
    )
  }
  if (!store.loaded) return <p class="nothing">Asking for the cases …</p>
  if (store.cases.size > 0) return <p class="nothing">No live case fits the filter.</p>
  return <Feeding what="No fraud case is live. Cases open by themselves when call records show a pattern of fraud." />
}
