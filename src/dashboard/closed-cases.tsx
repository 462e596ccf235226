/**
 * Cases that are over: by a person, by time or because a broader case took them in. Newest first, page by page; asks
 * again when a case ends while the first page is shown. Browser.
 */
import { useEffect, useRef, useState } from 'preact/hooks'
import { api } from './api-client.ts'
import { useAsked } from './asked.ts'
import { CaseHeads, CaseRow } from './case-row.tsx'
import { isLive } from './case-store.ts'
import type { House } from './house.ts'
import { RowList } from './row-list.tsx'

const pageRows = '25'
const againMs = 1000

/** What the filter's values ask of the server. */
const endings: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  '': { state: 'closed' },
  confirmed: { state: 'closed', verdict: 'confirmed' },
  dismissed: { state: 'closed', verdict: 'dismissed' },
  merged: { state: 'merged' },
}

interface ClosedCasesProps {
  readonly house: House
  readonly numbersClear: boolean
  readonly kind: string
  readonly ended: string
  readonly onEnded: (ended: string) => void
}

export function ClosedCases({ house, numbersClear, kind, ended, onEnded }: ClosedCasesProps) {
  /** Cursors of the pages before this one; the first page has none. */
  const [trail, setTrail] = useState<readonly string[]>([])
  const [tabKey, setTabKey] = useState<string | null>(null)
  // Another question begins at its first page
  useEffect(() => setTrail([]), [kind, ended])
  const before = trail.at(-1) ?? ''
  const query = { ...(endings[ended] ?? endings['']), kind, limit: pageRows, before }
  const { value, problem, again } = useAsked(JSON.stringify(query), () => api.cases(query), null)
  useAgainOnEnd(house, again)
  const rows = value?.cases ?? []
  const stopKey = rows.some(({ id }) => id === tabKey) ? tabKey : rows[0]?.id
  const next = value?.next ?? null
  return (
    <section aria-labelledby="closed-title">
      <div class="section-head">
        <h2 id="closed-title">Closed cases</h2>
        <search class="filters">
          <select aria-label="How it ended" value={ended} onChange={(event) => onEnded(event.currentTarget.value)}>
            <option value="">Any ending</option>
            <option value="confirmed">Confirmed</option>
            <option value="dismissed">Dismissed</option>
            <option value="merged">Merged into another</option>
          </select>
        </search>
      </div>
      {problem !== null ? (
        <p class="nothing" role="alert">
          Closed cases cannot be shown: {problem}
        </p>
      ) : null}
      {value?.partial === undefined ? null : (
        <p class="nothing" role="alert">
          Storage does not answer: older cases are missing for now.
        </p>
      )}
      {value === null && problem === null ? <p class="nothing">Asking for closed cases …</p> : null}
      {value !== null && rows.length === 0 ? (
        <p class="nothing">{kind === '' && ended === '' ? 'No case has been closed yet.' : 'No closed case fits.'}</p>
      ) : null}
      {rows.length > 0 ? (
        <div class="table">
          <CaseHeads />
          <RowList name="Closed cases, newest first" onFocusRow={setTabKey}>
            {rows.map((it) => (
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
      ) : null}
      {trail.length > 0 || next !== null ? (
        <nav class="pager" aria-label="Pages of closed cases">
          <button type="button" disabled={trail.length === 0} onClick={() => setTrail(trail.slice(0, -1))}>
            Newer
          </button>
          <span class="soft">Page {trail.length + 1}</span>
          <button type="button" disabled={next === null} onClick={() => next !== null && setTrail([...trail, next])}>
            Older
          </button>
        </nav>
      ) : null}
    </section>
  )
}

/** Cases may end in droves: one question for all that ended meanwhile. */
function useAgainOnEnd(house: House, again: () => void): void {
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined)
  useEffect(() => {
    const leave = house.onCase((event) => {
      if (isLive(event.case)) return
      timer.current ??= setTimeout(() => {
        timer.current = undefined
        again()
      }, againMs)
    })
    return () => {
      leave()
      clearTimeout(timer.current)
      timer.current = undefined
    }
  }, [house, again])
}
