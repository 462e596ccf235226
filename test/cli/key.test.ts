import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ApiKeys } from '../../src/access/api-keys.ts'
import { createKey, listKeys, revokeKey } from '../../src/cli/key.ts'
import { systemClock } from '../../src/core/clock.ts'
import { capturedTerminal } from '../fakes/captured-terminal.ts'
import { lastingDirectory } from '../fakes/scratch.ts'

function withKeys(use: (context: ReturnType<typeof contextIn>) => void): void {
  const dataDir = lastingDirectory()
  use(contextIn(dataDir))
}

function contextIn(dataDir: string) {
  const terminal = capturedTerminal()
  const verify = (key: string) => new ApiKeys({ dataDir, clock: systemClock, random: randomBytes }).verify(key)
  return { dataDir, clock: systemClock, terminal, verify }
}

test('a made key stands alone on the last line, works, and is not stored', () => {
  withKeys((context) => {
    assert.equal(createKey(context, { role: 'viewer', name: 'ci' }), 0)
    const key = context.terminal.out.at(-1) ?? ''
    assert.equal(context.terminal.out.length, 1)
    assert.equal(context.verify(key)?.role, 'viewer')
    assert.ok(!readFileSync(join(context.dataDir, 'keys.json'), 'utf8').includes(key.split('_').slice(2).join('_')))
  })
})

test('two keys made one after the other both work, until one is revoked', () => {
  withKeys((context) => {
    createKey(context, { role: 'viewer', name: 'one' })
    createKey(context, { role: 'ingest', name: 'two' })
    const [one, two] = context.terminal.out
    const id = context.verify(one ?? '')?.id ?? ''
    assert.equal(revokeKey(context, id), 0)
    assert.equal(context.verify(one ?? ''), undefined)
    assert.equal(context.verify(two ?? '')?.name, 'two')
  })
})

test('the list shows ids, roles and names, never a key', () => {
  withKeys((context) => {
    createKey(context, { role: 'operator', name: 'night shift' })
    const key = context.terminal.out.pop() ?? ''
    assert.equal(listKeys(context), 0)
    const text = context.terminal.out.join('\n')
    assert.match(text, /operator\s+night shift\s+\d{4}-.*valid/)
    assert.ok(!text.includes(key.slice(16)))
  })
})

test('an unknown role is bad usage, an unknown id a failure', () => {
  withKeys((context) => {
    assert.equal(createKey(context, { role: 'king', name: 'x' }), 2)
    assert.equal(revokeKey(context, '000000000000'), 1)
    assert.match(
      context.terminal.err.join('\n'),
      /one of viewer, operator, admin, ingest; got king[\s\S]*no key has the id/,
    )
  })
})

test('a key may end by itself and may hold scopes; a time that is none, or gone, is bad usage', () => {
  withKeys((context) => {
    assert.equal(createKey(context, { role: 'viewer', name: 'bi', scope: ['sql'], expires: '2999-01-01' }), 0)
    assert.deepEqual(context.verify(context.terminal.out.pop() ?? '')?.scopes, ['sql'])
    listKeys(context)
    assert.match(context.terminal.out.join('\n'), /viewer\+sql\s+bi\s+\S+\s+2999-01-01T00:00:00.000Z/)
    assert.equal(createKey(context, { role: 'viewer', name: 'bi', expires: 'soon' }), 2)
    assert.equal(createKey(context, { role: 'viewer', name: 'bi', expires: '2001-01-01' }), 2)
  })
})
