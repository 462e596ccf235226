import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { projectRoot } from '../../src/core/project.ts'
import { speechBands } from '../../src/features/hop.ts'

test('the speech bands are those that the shipped models were trained on', () => {
  for (const version of ['1', '2', '3', '4', '5']) {
    const path = join(projectRoot, 'models/voice', version, 'manifest.json')
    const { sampleRateHz, features } = JSON.parse(readFileSync(path, 'utf8')) as Record<string, object>
    assert.deepEqual({ sampleRateHz, ...features }, speechBands)
  }
})
