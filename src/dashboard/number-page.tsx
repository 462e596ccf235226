/**
 * What is known about one number: its cases, its windows as a caller, a day as caller and as called, recent calls.
 * Browser.
 */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { CaseView } from '../decisions/case-view.ts'
import type { NumberTraffic } from '../storage/fraud-reports.ts'
import type { WindowCounts } from '../worker/fraud-protocol.ts'
import { api } from './api-client.ts'
import { useAsked } from './asked.ts'
import { Back } from './case-page.tsx'
import { CaseHeads, CaseRow } from './case-row.tsx'
import { CdrTable } from './cdr-table.tsx'
import type { NumberView } from './fraud-shapes.ts'
import { countText } from './fraud-wording.ts'
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
            <Day name="As caller, last 24 h" day={value.asCaller} />
            <Day name="As called, last 24 h" day={value.asCalled} />
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

const spans = ['1m', '10m', '1h', '24h'] as const
const spanNames: Readonly<Record<(typeof spans)[number], string>> = {
  '1m': '1 min',
  '10m': '10 min',
  '1h': '1 h',
  '24h': '24 h',
}

const windowFigures: readonly [string, (window: WindowCounts) => string][] = [
  ['Attempts', ({ attempts }) => countText(attempts)],
  ['Over before anybody could answer', ({ blink }) => countText(blink)],
  ['Answered', ({ answered }) => countText(answered)],
  ['Answered for 3 s or less', ({ short }) => countText(short)],
  ['Different numbers called', ({ called }) => countText(called)],
  ['Talk', ({ talkSeconds }) => (talkSeconds === 0 ? '–' : duration(talkSeconds * 1000))],
]

function Windows({ windows }: { windows: NumberView['windows'] }) {
  return (
    <section class="panel" aria-labelledby="windows-title">
      <div class="chart-head">
        <h3 id="windows-title">Windows as caller, now</h3>
        <p class="soft small">what the rules look at, by event time</p>
      </div>
      {windows === null ? (
        <p class="nothing">It has not called within the last day.</p>
      ) : (
        <table class="figures-table">
          <caption class="unseen">Windows as caller</caption>
          <thead>
            <tr>
              <th scope="col">Figure</th>
              {spans.map((span) => (
                <th key={span} scope="col" class="right">
                  {spanNames[span]}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {windowFigures.map(([name, textOf]) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                {spans.map((span) => (
                  <td key={span} class="right">
                    {textOf(windows[span])}
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

const dayFigures: readonly [string, (day: NumberTraffic) => string][] = [
  ['Attempts', ({ attempts }) => countText(attempts)],
  [
    'Answered',
    ({ answered, attempts }) => (attempts === 0 ? '0' : `${countText(answered)} (${percent(answered / attempts)})`),
  ],
  ['Unanswered', ({ unanswered }) => countText(unanswered)],
  ['Short calls', ({ short }) => countText(short)],
  ['Other numbers', ({ others }) => countText(others)],
  ['Mean talk', ({ talkMs, answered }) => (answered === 0 ? '–' : duration(talkMs / answered))],
]

function Day({ name, day }: { name: string; day: NumberTraffic | null }) {
  return (
    <section class="panel" aria-label={name}>
      <h3>{name}</h3>
      {day === null ? (
        <p class="soft">Storage does not answer.</p>
      ) : (
        <dl class="figures">
          {dayFigures.map(([figure, textOf]) => (
            <div key={figure}>
              <dt>{figure}</dt>
              <dd>{textOf(day)}</dd>
            </div>
          ))}
        </dl>
      )}
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
