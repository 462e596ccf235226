import assert from 'node:assert/strict'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { RuleOverrides } from '../../src/actions/rule-overrides.ts'
import type { DetectionRule } from '../../src/config/schema.ts'
import { ManualClock } from '../../src/core/clock.ts'
import { scratchDirectory } from '../fakes/scratch.ts'

const quiet: DetectionRule = { name: 'quiet', listen: false, to: ['12025550199'] }

describe('rules laid over at run time', () => {
  it('are in force at once and again after a restart', (t) => {
    const file = `${scratchDirectory(t)}/detection-rules.json`
    const clock = new ManualClock()
    const seen: (readonly DetectionRule[])[] = []
    const changed = (rules: readonly DetectionRule[]): void => void seen.push(rules)
    const first = new RuleOverrides({ named: (rules) => rules, file, clock, changed })
    assert.equal(first.state.revision, 0)
    first.replace([quiet], 0, 'key:1 anna')
    const second = new RuleOverrides({ named: (rules) => rules, file, clock, changed })
    assert.deepEqual(seen, [[], [quiet], [quiet]])
    assert.deepEqual(second.state, {
      revision: 1,
      changedAt: '2026-01-01T00:00:00.000Z',
      changedBy: 'key:1 anna',
      rules: [quiet],
    })
    assert.equal(statSync(file).mode & 0o777, 0o600)
  })

  it('are not replaced by somebody who has not read the last change', (t) => {
    const file = `${scratchDirectory(t)}/detection-rules.json`
    const overrides = new RuleOverrides({ named: (rules) => rules, file, clock: new ManualClock(), changed: () => {} })
    overrides.replace([quiet], 0, 'anna')
    assert.throws(() => overrides.replace([], 0, 'ben'), { code: 'conflict' })
    assert.equal(JSON.parse(readFileSync(file, 'utf8')).rules.length, 1)
  })

  it('that cannot be read stop the start: they may forbid to listen to somebody', (t) => {
    const file = `${scratchDirectory(t)}/detection-rules.json`
    writeFileSync(file, '{"version":1,"rules":[')
    assert.throws(
      () => new RuleOverrides({ named: (rules) => rules, file, clock: new ManualClock(), changed: () => {} }),
      {
        code: 'config_invalid',
      },
    )
  })
})
