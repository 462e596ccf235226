import assert from 'node:assert/strict'
import { it } from 'node:test'
import { cdrScoreColumns, encodeCdrScore } from '../../src/wire/cdr-score-row.ts'

it('a score is one line with a value for every column, its time of start in us as the record has it', () => {
  const line = encodeCdrScore({
    id: 'pbx:7f0c:a:call',
    source: 'pbx',
    startMs: 1_767_225_600_000.123,
    caseId: 'c2f0',
    kind: 'wangiri',
    score: 0.973_123,
    ofKind: true,
    intended: 'block',
    effective: 'allow',
    scoredMs: 1_767_225_612_345,
    model: 'rule',
  })
  assert.equal(
    line,
    '["pbx:7f0c:a:call","pbx",1767225600000123,"c2f0","wangiri",0.9731,1,"block","allow",1767225612345,"rule"]\n',
  )
  assert.equal((JSON.parse(line) as unknown[]).length, cdrScoreColumns.length)
})
