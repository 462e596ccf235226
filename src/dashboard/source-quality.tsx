/** Per source of call records: how many came, what became of them, and every defect with its examples. Browser. */
import type { SourceQuality } from '../storage/cdr-reports.ts'
import { countText, defectText } from './fraud-wording.ts'
import { localTime } from './wording.ts'

export function SourceQualityPanels({ sources }: { sources: readonly SourceQuality[] }) {
  return (
    <section aria-labelledby="quality-title">
      <div class="section-head">
        <h2 id="quality-title">Quality of the records</h2>
        <p class="soft">what is odd about each source’s records, before it is taken for fraud</p>
      </div>
      <div class="sources">
        {sources.map((quality) => (
          <SourcePanel key={quality.source} quality={quality} />
        ))}
      </div>
    </section>
  )
}

function SourcePanel({ quality }: { quality: SourceQuality }) {
  const { source, records, duplicates, rejected, skipped, defects } = quality
  const figures: [string, number][] = [
    ['Records', records],
    ['Duplicates', duplicates],
    ['Rejected', rejected],
    ['Skipped', skipped],
  ]
  return (
    <section
      class={`panel source edge-${rejected > 0 ? 'synthetic' : defects.length > 0 ? 'inconclusive' : 'human'}`}
      aria-label={`Source ${source}`}
      data-source={source}
    >
      <h3>{source}</h3>
      <dl class="figures">
        {figures.map(([name, count]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{countText(count)}</dd>
          </div>
        ))}
      </dl>
      {defects.length === 0 ? <p class="soft">Nothing odd was seen.</p> : null}
      {defects.map((defect) => (
        <Defect key={defect.defect} defect={defect} records={records} />
      ))}
    </section>
  )
}

function Defect({ defect, records }: { defect: SourceQuality['defects'][number]; records: number }) {
  const { examples, count } = defect
  const head = (
    <>
      <span class="defect-name">{defectText(defect.defect)}</span>
      <span class="defect-count">
        {countText(count)} <span class="soft">{shareOf(count, records)}</span>
      </span>
    </>
  )
  if (examples.length === 0) return <p class="defect">{head}</p>
  return (
    <details class="defect">
      <summary>{head}</summary>
      <ul class="examples small">
        {examples.map(({ at, record, detail }) => (
          <li key={`${at} ${record}`}>
            <span class="soft">{localTime(timeOf(at), true)}</span> <span class="mono">{record}</span> {detail}
          </li>
        ))}
      </ul>
    </details>
  )
}

/** ClickHouse writes `2026-01-01 00:00:00.000` and means UTC. */
function timeOf(at: string): string {
  return /^\d{4}-\d\d-\d\d \d/.test(at) ? `${at.replace(' ', 'T')}Z` : at
}

function shareOf(count: number, records: number): string {
  if (records === 0) return ''
  const share = count / records
  return share < 0.001 ? '< 0.1 %' : `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`
}
