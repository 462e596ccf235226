/** The fraud detector finds the same in traffic whose numbers are tokens, with the subjects by name. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { describe, it, type TestContext } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import type { FraudCase } from '../../src/decisions/cases.ts'
import { FraudDetector } from '../../src/decisions/fraud-detector.ts'
import { FraudPolicy } from '../../src/decisions/fraud-policy.ts'
import { callEventOf } from '../../src/features/call-event.ts'
import { hidingDoors, type NumberDoors } from '../../src/privacy/number-doors.ts'
import { NumberVault } from '../../src/privacy/number-vault.ts'
import { VaultKeys } from '../../src/privacy/vault-keys.ts'
import type { CdrRecord } from '../../src/wire/cdr-record.ts'
import { NumberPlaces } from '../../src/wire/number-places.ts'
import { rangeChars } from '../../src/wire/number-token.ts'
import { playTraffic } from '../fakes/cdr-run.ts'
import { scratchDirectory } from '../fakes/scratch.ts'

const config = loadConfig({ env: {} }).cdr

/** A vault on nothing, with keys that are the same each time: sketches of distinct numbers depend on names. */
function vaultOf(t: TestContext, unsavedMax?: number): NumberVault {
  const file = `${scratchDirectory(t)}/keys.json`
  const master = { id: '0a1b2c3d', key: '11'.repeat(32), createdAt: '2026-01-01T00:00:00.000Z' }
  writeFileSync(file, JSON.stringify({ version: 1, tokenKey: '22'.repeat(32), masters: [master] }), { mode: 0o600 })
  const table = { get: () => undefined, has: () => false, keys: () => [], count: () => 0, commit: async () => {} }
  const keys = VaultKeys.read(file)
  const limits = { cacheNumbersMax: 100_000, ...(unsavedMax === undefined ? {} : { unsavedMax }) }
  return new NumberVault({ table, keys, ...limits, counters: zeroCounters() })
}

async function casesOf(records: readonly CdrRecord[], places?: NumberPlaces): Promise<FraudCase[]> {
  const found = new Map<string, FraudCase>()
  let ids = 0
  const detector = new FraudDetector({
    config,
    places,
    reorder: { latenessMs: Number.POSITIVE_INFINITY, heldMax: 100_000 },
    newCaseId: () => `case-${++ids}`,
    onCase: (change, it) => {
      if (change === 'opened') found.set(it.id, it)
      if (change === 'merged') found.delete(it.id)
    },
    onCall: () => undefined,
  })
  for (const record of records) detector.record(record)
  await detector.advance()
  await detector.flush()
  return [...found.values()]
}

/** Subject of a case in mode clear -> as the same calls have it in mode tokens. */
function namer(clear: readonly CdrRecord[], named: readonly CdrRecord[]): (it: FraudCase) => string {
  const names = new Map<string, string>()
  for (const [index, { from = '', to = '' }] of clear.entries()) {
    const [fromName, toName] = [named[index]?.from ?? '', named[index]?.to ?? '']
    names.set(`number:${from}`, fromName).set(`called_number:${to}`, toName)
    for (let off = 3; off <= 5; off += 1) {
      names.set(`range:${from.slice(0, rangeChars(from, off))}`, fromName.slice(0, rangeChars(fromName, off)))
    }
  }
  return ({ kind, subject: { type, value } }) => `${kind} ${type}:${names.get(`${type}:${value}`) ?? value}`
}

function doorsOf(vault: NumberVault): NumberDoors {
  return hidingDoors(vault)
}

describe('traffic with tokens instead of numbers', () => {
  it('gives the same cases of the same kinds, with their subjects by name', async (t) => {
    const vault = vaultOf(t)
    const prevalence = { flash_call: 0.1, wangiri: 0.05, robocall: 0.05, cli_spoof: 0.05 }
    const clear = playTraffic({ seed: 2, attempts: 6000, seconds: 1200, prevalence }).map(({ record }) => record)
    const named = clear.map((record) => doorsOf(vault).record({ ...record }))
    assert.ok(clear.every(({ from = '' }, index) => from.length < 8 || named[index]?.from !== from))
    const [inClear, inTokens] = [await casesOf(clear), await casesOf(named, new NumberPlaces(vault.placeKey))]
    const nameOf = namer(clear, named)
    assert.ok(inClear.length >= 4, `${inClear.length} cases`)
    const told = inTokens.map(({ kind, subject: { type, value } }) => `${kind} ${type}:${value}`)
    assert.deepEqual(told.sort(), inClear.map(nameOf).sort())
  })

  it('has the same countries, ranges and validity', (t) => {
    const doors = doorsOf(vaultOf(t))
    const base = playTraffic({ attempts: 300, seconds: 60 }).map(({ record }) => record)
    for (const record of base) {
      const [clear, named] = [callEventOf(record), callEventOf(doors.record({ ...record }))]
      const facts = ({ foreign, domestic, fromInvalid, timeMs, answered }: typeof clear) =>
        [foreign, domestic, fromInvalid, timeMs, answered].join()
      assert.equal(facts(named), facts(clear))
    }
  })
})

describe('lists of numbers in mode tokens', () => {
  it('fit the tokens of whole numbers and of ranges down to a thousand', (t) => {
    const doors = doorsOf(vaultOf(t))
    const list = doors.prefixes(['12025550123', '4420795', '442079460'])
    const begins = (number: string): boolean => list.some((prefix) => doors.asked(number).startsWith(prefix))
    const numbers = ['12025550123', '12025550124', '442079460123', '442079461123', '442079560123', '442088460123']
    assert.deepEqual(numbers.map(begins), [true, false, true, false, true, false])
    assert.ok(list.every((prefix) => !prefix.includes('12025550123')))
    const spared = new FraudPolicy({ ...config.policy, allowNumbers: list })
    assert.equal(spared.shadow, config.policy.shadow)
    assert.deepEqual(doors.patterns(['anonymous', 'client:anna', '4930*']).slice(0, 3), [
      'anonymous',
      'client:anna',
      '4930*',
    ])
  })

  it('are found however a person writes a number', (t) => {
    const doors = doorsOf(vaultOf(t))
    const token = doors.asked('12025550123')
    for (const raw of ['+12025550123', '0012025550123', '+1 (202) 555-0123', 'sip:+12025550123@example.com', token]) {
      assert.equal(doors.asked(raw), token)
    }
    assert.deepEqual(['anonymous', 'client:anna', ''].map(doors.asked), ['anonymous', 'client:anna', ''])
    assert.equal(doors.searched('+1 202 555 0123'), token)
    assert.equal(doors.searched('1202555'), '1202555')
  })
})

describe('a call record in mode tokens', () => {
  it('loses its numbers in every spelling, and keeps what is none', (t) => {
    const doors = doorsOf(vaultOf(t))
    const [{ record: base } = { record: undefined }] = playTraffic({ attempts: 1, seconds: 1 })
    assert.ok(base !== undefined)
    const record = doors.record({
      ...base,
      id: 'pbx:1767225600.77-2025550123:a:call',
      callId: '1767225600.77-2025550123',
      from: '12025550123',
      fromRaw: '"Ann" <sip:(202) 555-0123@192.0.2.1>',
      to: undefined,
      toRaw: 'tel:+44 7700 900 123;ext=1',
      ingress: 'trunk-12025550123-a',
      causeRaw: 'busy at +1-202-555-0123',
      attributes: {
        sequence: '1234567',
        diversion: '<tel:02025550123>',
        redirected: '+44 (7700) 900124',
        codec: 'PCMU',
      },
    })
    const text = JSON.stringify(record)
    for (const hidden of ['5550123', '555-0123', '900 123', '900124'])
      assert.ok(!text.includes(hidden), `${hidden}: ${text}`)
    const token = doors.asked('12025550123')
    assert.deepEqual([record.from, record.fromRaw], [token, token])
    assert.equal(record.id, `pbx:1767225600.77-${token}:a:call`)
    assert.equal(record.ingress, `trunk-${token}-a`)
    assert.equal(record.attributes['sequence'], '1234567')
    assert.equal(record.attributes['codec'], 'PCMU')
  })

  it('has words about it without its numbers', (t) => {
    const words = doorsOf(vaultOf(t)).words('from: expected digits without +, got "+1 (202) 555-0123"')
    assert.equal(words, 'from: expected digits without +, got "***"')
  })
})

describe('a vault that the disk does not take from', () => {
  it('refuses call records, whose senders wait, but no live call: its parties have names nobody can undo', (t) => {
    const vault = vaultOf(t, 1)
    const doors = hidingDoors(vault)
    const name = doors.party('+12025550123')
    assert.match(name, /^1202555~/)
    assert.equal(name, doors.asked('+12025550123'))
    assert.equal(vault.reveal(name), null)
    assert.throws(() => doors.names.token('12025550123'), { code: 'spool_full' })
  })
})
