import assert from 'node:assert/strict'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { createLog, type Log } from '../../src/core/log.ts'
import { lastingDirectory } from '../fakes/scratch.ts'

function linesOf(write: (log: Log) => void, level: 'debug' | 'info' = 'info'): Record<string, unknown>[] {
  const file = join(lastingDirectory(), 'log')
  const fd = openSync(file, 'w')
  write(createLog(level, fd))
  closeSync(fd)
  const text = readFileSync(file, 'utf8').trim()
  return text === '' ? [] : text.split('\n').map((line) => JSON.parse(line) as Record<string, unknown>)
}

describe('the log', () => {
  it('writes one JSON line per event with time, level, message and fields, before the call returns', () => {
    const [line] = linesOf((log) => log.info('stored', { rows: 3 }))
    assert.equal(line?.['level'], 'info')
    assert.equal(line?.['msg'], 'stored')
    assert.equal(line?.['rows'], 3)
    assert.match(String(line?.['time']), /^\d{4}-\d\d-\d\dT/)
  })

  it('masks what looks like a phone number in any field, also of a child', () => {
    const lines = linesOf((log) => {
      log.info('asked', { detail: 'call from +15005550006 ended' })
      log.child({ peer: '+15005550001' }).warn('again')
    })
    assert.equal(lines[0]?.['detail'], 'call from +*** ended')
    assert.equal(lines[1]?.['peer'], '+***')
  })

  it('leaves out lines below its level', () => {
    assert.equal(linesOf((log) => log.debug('detail')).length, 0)
    assert.equal(linesOf((log) => log.debug('detail'), 'debug').length, 1)
  })
})
