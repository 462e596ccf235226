/** Call records as a table at a desk and as cards on a phone. Browser. */
import type { CdrView } from '../storage/fraud-reports.ts'
import { causeText } from './fraud-wording.ts'
import { duration, localTime, showNumber } from './wording.ts'

const columns = ['Start', 'From', 'To', 'Route', 'Result', 'Ring', 'Talk', 'Released by'] as const

export function CdrTable({
  cdrs,
  name,
  numbersClear,
}: {
  cdrs: readonly CdrView[]
  name: string
  numbersClear: boolean
}) {
  return (
    <table class="records">
      <caption class="unseen">{name}</caption>
      <thead>
        <tr>
          {columns.map((column) => (
            <th key={column} scope="col">
              {column}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {cdrs.map((cdr) => (
          <tr key={cdr.id} data-cdr={cdr.id}>
            <td data-name="Start">{localTime(cdr.startAt, true)}</td>
            <td data-name="From">
              <NumberLink number={cdr.from} clear={numbersClear} />
            </td>
            <td data-name="To">
              <NumberLink number={cdr.to} clear={numbersClear} />
            </td>
            <td data-name="Route">{routeText(cdr)}</td>
            <td data-name="Result">
              {cdr.answered ? 'answered' : 'not answered'} <span class="soft">{causeText(cdr)}</span>
            </td>
            <td data-name="Ring">{cdr.ringMs === null ? '–' : duration(cdr.ringMs)}</td>
            <td data-name="Talk">{cdr.talkMs === null || !cdr.answered ? '–' : duration(cdr.talkMs)}</td>
            <td data-name="Released by">{cdr.releasedBy}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

export function NumberLink({ number, clear }: { number: string; clear: boolean }) {
  if (number === '') return <span class="soft">withheld</span>
  return <a href={`#/numbers/${encodeURIComponent(number)}`}>{showNumber(number, clear)}</a>
}

function routeText({ ingress, egress, source }: CdrView): string {
  const ends = [ingress, egress].filter((end) => end !== '')
  return ends.length === 0 ? source : ends.join(' → ')
}
