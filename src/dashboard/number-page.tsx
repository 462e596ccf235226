/**
 * What is known about one number: its cases, its windows as a caller, a day as caller and as called, recent calls.
 * Browser.
 */
import { useEffect, useRef, useState } from 'preact/hooks'
import { api } from './api-client.ts'
import { useAsked } from './asked.ts'
import { Back } from './case-page.tsx'
import { CaseHeads, CaseRow } from './case-row.tsx'
import { CdrTable } from './cdr-table.tsx'
import type { CaseView, Figures, NumberView } from './fraud-shapes.ts'
import { countText, figureName } from './fraud-wording.ts'
import type { House } from './house.ts'
import { RowList } from './row-list.tsx'
import { duration, percent, showNumber } from './wording.ts'

const askAgainMs = 10_000

export function NumberPage({ house, number, numbersClear }: { house: House; number: string; numbersClear: boolean }) {
  const { value, problem } = useAsked(number, () => api.number(number), askAgainMs)
  const title = useRef<HTMLHeadingElement>(null)
  // Focus follows every change of number
  useEffect(() => title.current?.focus(), [number])
  return (
    <article class="call-page">
      <Back />
      <h1 ref={title} tabIndex={-1}>
        Number {showNumber(number, numbersClear)}
      </h1>
      {value === null && problem === null ? <p class="nothing">Asking for the number …</p> : null}
      {problem === null ? null : (
        <p class="nothing" role="alert">
          {problem}
        </p>
      )}
      {value === null ? null : (
        <>
          <NumberCases cases={value.cases} house={house} numbersClear={numbersClear} />
          <Windows windows={value.windows} />
          <div class="two-panels">
            <Day name="As caller, last 24 h" figures={value.asCaller} />
            <Day name="As called, last 24 h" figures={value.asCalled} />
          </div>
          <Recent recent={value.recent} numbersClear={numbersClear} />
        </>
      )}
    </article>
  )
}

function NumberCases({
  cases,
  house,
  numbersClear,
}: {
  cases: readonly CaseView[]
  house: House
  numbersClear: boolean
}) {
  const [tabKey, setTabKey] = useState<string | null>(null)
  const stopKey = cases.some(({ id }) => id === tabKey) ? tabKey : cases[0]?.id
  return (
    <section aria-labelledby="number-cases">
      <div class="section-head">
        <h2 id="number-cases">Its cases</h2>
      </div>
      {cases.length === 0 ? (
        <p class="nothing">No case is about this number.</p>
      ) : (
        <div class="table">
          <CaseHeads />
          <RowList name="Cases of the number" onFocusRow={setTabKey}>
            {cases.map((it) => (
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
      )}
    </section>
  )
}

const windowOrder = ['1m', '10m', '1h', '24h']
const windowNames: Readonly<Record<string, string>> = { '1m': '1 min', '10m': '10 min', '1h': '1 h', '24h': '24 h' }

function Windows({ windows }: { windows: NumberView['windows'] }) {
  const spans = windowOrder.filter((span) => windows[span] !== undefined)
  const names = Object.keys(windows[spans[0] ?? ''] ?? {})
  return (
    <section class="panel" aria-labelledby="windows-title">
      <div class="chart-head">
        <h3 id="windows-title">Windows as caller, now</h3>
        <p class="soft small">what the rules look at</p>
      </div>
      {names.length === 0 ? (
        <p class="nothing">It has not called within the last day.</p>
      ) : (
        <table class="figures-table">
          <caption class="unseen">Windows as caller</caption>
          <thead>
            <tr>
              <th scope="col">Figure</th>
              {spans.map((span) => (
                <th key={span} scope="col" class="right">
                  {windowNames[span] ?? span}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {names.map((name) => (
              <tr key={name}>
                <th scope="row">{figureName(name)}</th>
                {spans.map((span) => (
                  <td key={span} class="right">
                    {figureText(name, windows[span]?.[name] ?? null)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  )
}

function Day({ name, figures }: { name: string; figures: Figures }) {
  return (
    <section class="panel" aria-label={name}>
      <h3>{name}</h3>
      <dl class="figures">
        {Object.entries(figures).map(([figure, value]) => (
          <div key={figure}>
            <dt>{figureName(figure)}</dt>
            <dd>{figureText(figure, value)}</dd>
          </div>
        ))}
      </dl>
    </section>
  )
}

function Recent({ recent, numbersClear }: { recent: NumberView['recent']; numbersClear: boolean }) {
  return (
    <section class="panel" aria-labelledby="recent-title">
      <h3 id="recent-title">Recent calls</h3>
      {recent.length === 0 ? (
        <p class="nothing">No call of this number is stored.</p>
      ) : (
        <CdrTable cdrs={recent} name="Recent calls of the number" numbersClear={numbersClear} />
      )}
    </section>
  )
}

/** The name says the unit: `ringMeanS` seconds, `acdMs` milliseconds, shares and ratios as percent. */
export function figureText(name: string, value: number | null): string {
  if (value === null || Number.isNaN(value)) return '–'
  if (name.endsWith('Ms')) return duration(value)
  if (name.endsWith('S')) return duration(value * 1000)
  if (/share$|ratio$|^asr$/i.test(name)) return percent(value)
  return Number.isInteger(value) || Math.abs(value) >= 100 ? countText(value) : value.toFixed(2)
}
