import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readPrevalence } from '../../src/simulator/cdr-prevalence.ts'

test('kinds are named one by one, and `all` stands for those that are not', () => {
  assert.deepEqual(readPrevalence('flash_call=0.001'), { flash_call: 0.001 })
  assert.deepEqual(readPrevalence('all=0, flash_call=0.1'), {
    flash_call: 0.1,
    wangiri: 0,
    irsf: 0,
    robocall: 0,
    pbx_hack: 0,
    cli_spoof: 0,
    short_answer_burst: 0,
  })
})

test('what is no kind or no share is said', () => {
  assert.match(readPrevalence('flashcall=0.1') as string, /no kind "flashcall"; there are all, flash_call, wangiri/)
  for (const text of ['irsf', 'irsf=', 'irsf=2', 'irsf=-0.1', 'irsf=x']) {
    assert.match(readPrevalence(text) as string, /irsf: must be a share from 0 to 1/)
  }
})
