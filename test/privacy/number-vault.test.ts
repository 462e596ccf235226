/** The number vault: names, what they show, what is encrypted, forgotten, rotated, and on disk. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { chmodSync, readFileSync, statSync } from 'node:fs'
import { describe, it, type TestContext } from 'node:test'
import * as fc from 'fast-check'
import { OperatingError } from '../../src/core/errors.ts'
import { silentLog } from '../../src/core/log.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import { ByteBudget } from '../../src/log/durable-log.ts'
import { LogEnvironment } from '../../src/log/log-environment.ts'
import { clearNumbers, NumberVault, type VaultTable } from '../../src/privacy/number-vault.ts'
import { VaultKeys } from '../../src/privacy/vault-keys.ts'
import { NumberPlaces } from '../../src/wire/number-places.ts'
import { digitCount, isToken, rangeChars } from '../../src/wire/number-token.ts'
import { scratchDirectory } from '../fakes/scratch.ts'

const nowMs = Date.UTC(2026, 0, 1)

class MemoryTable implements VaultTable {
  readonly entries = new Map<string, Uint8Array>()
  broken = false

  get(key: string): Uint8Array | undefined {
    return this.entries.get(key)
  }

  has(key: string): boolean {
    return this.entries.has(key)
  }

  keys(after: string | null, keysMax: number): string[] {
    const sorted = [...this.entries.keys()].sort()
    return sorted.filter((key) => after === null || key > after).slice(0, keysMax)
  }

  count(): number {
    return this.entries.size
  }

  async commit(writes: Parameters<VaultTable['commit']>[0]): Promise<void> {
    const changes: (() => void)[] = []
    writes({
      put: (key, value) => changes.push(() => this.entries.set(key, value)),
      remove: (key) => changes.push(() => this.entries.delete(key)),
    })
    await null
    if (this.broken) throw new Error('disk full')
    for (const change of changes) change()
  }
}

interface Parts {
  readonly vault: NumberVault
  readonly table: MemoryTable
  readonly file: string
  readonly counters: ReturnType<typeof zeroCounters>
  reopen(): NumberVault
}

function open(t: TestContext, cacheNumbersMax = 1000): Parts {
  const file = `${scratchDirectory(t)}/vault-keys.json`
  const table = new MemoryTable()
  const counters = zeroCounters()
  const make = () => new NumberVault({ table, keys: VaultKeys.readOrMake(file, nowMs), cacheNumbersMax, counters })
  return { vault: make(), table, file, counters, reopen: make }
}

describe('the name of a number', () => {
  it('shows all but its last four digits, and is the same each time', (t) => {
    const { vault, reopen } = open(t)
    const token = vault.token('12025550123')
    assert.match(token, /^1202555~[a-l][a-z2-7]{15}$/)
    assert.equal(vault.token('12025550123'), token)
    assert.equal(reopen().nameOf('12025550123'), token)
    assert.notEqual(vault.token('12025550124'), token)
  })

  it('differs under another key', (t) => {
    assert.notEqual(open(t).vault.token('12025550123'), open(t).vault.token('12025550123'))
  })

  it('is not given to short codes and extensions, but to short numbers of a subscriber', (t) => {
    const { vault } = open(t)
    for (const short of ['110', '4711', '123456', '5550123', '', '*100#']) assert.equal(vault.token(short), short)
    // Niue has numbers of four digits behind +683.
    assert.match(vault.token('6834002'), /^683~/)
  })

  it('does not show a whole number that digits were dialled behind, nor much of what is none', (t) => {
    const { vault } = open(t)
    const shown = (number: string): string => vault.token(number).split('~')[0] ?? ''
    assert.deepEqual(['120255501239999', '1202555012377'].map(shown), ['1202555', '1202555'])
    assert.deepEqual(['12025550123#', '*6712025550123', '00000000000000000000'].map(shown), [
      ...['1202555', '*671202', '0000000'],
    ])
    // No number is hidden in this one: a range that cannot exist is seen as far as one that can.
    assert.equal(shown('999912345678'), '99991234')
  })

  it('tells numbers of one thousand from others, and no more', (t) => {
    const { vault } = open(t)
    const names = Array.from({ length: 10_000 }, (_, tail) =>
      vault.nameOf(`442079${String(460_000 + tail).padStart(6, '0')}`),
    )
    const groups = names.map((name) => name.slice(0, rangeChars(name, 3)))
    assert.equal(new Set(names).size, 10_000)
    for (let thousand = 0; thousand < 10; thousand += 1) {
      assert.equal(new Set(groups.slice(thousand * 1000, thousand * 1000 + 1000)).size, 1)
    }
    assert.equal(new Set(groups).size, 10)
    assert.equal(vault.rangeName('442079463'), groups[3000])
    assert.equal(digitCount(names[0] ?? ''), 12)
  })

  it('tells where a number stands to who has the key for places, and to nobody else', (t) => {
    const { vault } = open(t)
    const [places, blind] = [new NumberPlaces(vault.placeKey), new NumberPlaces(null)]
    for (const number of ['12025550123', '442079460123', '4915112345678', '6834002']) {
      const token = vault.nameOf(number)
      assert.equal(places.position(token), Number(number))
      assert.equal(places.lastDigit(token), Number(number.slice(-1)))
      assert.equal(blind.position(token), Number.NaN)
      assert.equal(places.position(number), Number(number))
    }
    assert.equal(places.lastDigit(vault.nameOf('12025550123#')), -1)
    assert.ok(!vault.nameOf('12025550123').includes(vault.nameOf('12025550124').slice(9)))
  })

  it('is a name for a token too: what is named already keeps its name', (t) => {
    const { vault } = open(t)
    const token = vault.token('12025550123')
    assert.equal(vault.token(token), token)
    assert.equal(vault.nameOf(token), token)
  })

  it('never holds the hidden digits', (t) => {
    const { vault } = open(t)
    fc.assert(
      fc.property(fc.stringMatching(/^[1-9][0-9]{7,14}$/), (digits) => {
        const token = vault.nameOf(digits)
        assert.ok(!token.includes(digits.slice(-5)))
        assert.ok(digits.startsWith(token.split('~')[0] ?? 'x'))
      }),
      { numRuns: 300 },
    )
  })

  it('is the number itself in mode clear', () => {
    assert.equal(clearNumbers.token('12025550123'), '12025550123')
    assert.deepEqual(clearNumbers.forms('+12025550123'), ['12025550123', '+12025550123'])
  })
})

describe('the number vault', () => {
  it('reveals what it named, before and after it is on disk and after a restart', async (t) => {
    const { vault, reopen } = open(t)
    const token = vault.token('12025550123')
    assert.equal(vault.reveal(token), '12025550123')
    assert.equal(vault.revealIn(`number:${token} called`), 'number:12025550123 called')
    await vault.flush()
    assert.equal(vault.reveal(token), '12025550123')
    assert.equal(reopen().reveal(token), '12025550123')
    assert.equal(reopen().size, 1)
  })

  it('stores nothing of a number that was only asked for', async (t) => {
    const { vault, table } = open(t)
    const token = vault.nameOf('12025550123')
    await vault.flush()
    assert.equal(vault.reveal(token), null)
    assert.equal(table.entries.size, 1)
  })

  it('holds no number in clear on disk', async (t) => {
    const directory = scratchDirectory(t)
    const environment = LogEnvironment.open({ directory, counters: zeroCounters(), log: silentLog })
    const keys = VaultKeys.readOrMake(`${directory}/vault-keys.json`, nowMs)
    const table = environment.table('vault')
    const vault = new NumberVault({ table, keys, cacheNumbersMax: 10, counters: zeroCounters() })
    const token = vault.token('12025550123')
    const log = environment.log('cdr', new ByteBudget(1_000_000))
    // One turn, one transaction: the record is not there without the number.
    const [, first] = await Promise.all([vault.flush(), log.append([Buffer.from(token)])])
    assert.equal(first, 1)
    assert.equal(table.count(), 2)
    assert.deepEqual(table.keys(null, 10).map(isToken), [false, true])
    await environment.close()
    const bytes = readFileSync(`${directory}/log/data.mdb`)
    assert.ok(bytes.includes(token))
    assert.ok(!bytes.includes('12025550123'))
    const again = LogEnvironment.open({ directory, counters: zeroCounters(), log: silentLog })
    t.after(() => again.close())
    const reopened = { table: again.table('vault'), keys, cacheNumbersMax: 10, counters: zeroCounters() }
    assert.equal(new NumberVault(reopened).reveal(token), '12025550123')
  })

  it('keeps what the disk refused and writes it with the next flush', async (t) => {
    const { vault, table, reopen } = open(t)
    const token = vault.token('12025550123')
    table.broken = true
    await assert.rejects(vault.flush())
    table.broken = false
    assert.equal(vault.token('12025550123'), token)
    await vault.flush()
    assert.equal(vault.unsaved, 0)
    assert.equal(reopen().reveal(token), '12025550123')
  })

  it('refuses more numbers while too many wait for the disk', (t) => {
    const file = `${scratchDirectory(t)}/vault-keys.json`
    const counters = zeroCounters()
    const keys = VaultKeys.readOrMake(file, nowMs)
    const options = { table: new MemoryTable(), keys, cacheNumbersMax: 2, counters, unsavedMax: 3 }
    const vault = new NumberVault(options)
    vault.token('12025550123')
    vault.token('12025550124')
    const full = (thrown: unknown) => thrown instanceof OperatingError && thrown.code === 'spool_full'
    assert.throws(() => vault.token('12025550125'), full)
    assert.equal(counters.vaultRefused, 1)
  })

  it('forgets a number for good, and names it the same', async (t) => {
    const { vault, table, counters, reopen } = open(t)
    const token = vault.token('12025550123')
    await vault.flush()
    const before = table.entries.get(token)
    assert.equal(vault.forget('+12025550123'), true)
    assert.equal(vault.reveal(token), null)
    await vault.flush()
    assert.equal(table.entries.has(token), false)
    assert.equal(reopen().reveal(token), null)
    assert.equal(vault.forget('12025550123'), false)
    assert.deepEqual(vault.forms('+12025550123'), ['12025550123', '+12025550123', token])
    assert.equal(counters.vaultNumbersForgotten, 1)
    // It calls again: the same name, another key.
    assert.equal(vault.token('12025550123'), token)
    await vault.flush()
    assert.notDeepEqual(table.entries.get(token), before)
  })

  it('does not take an entry for another one', async (t) => {
    const { vault, table } = open(t)
    const [one, other] = [vault.token('12025550123'), vault.token('12025550124')]
    await vault.flush()
    table.entries.set(one, table.entries.get(other) ?? Buffer.alloc(0))
    assert.equal(vault.reveal(one), null)
    table.entries.set(one, randomBytes(104))
    assert.equal(vault.reveal(one), null)
  })

  it('wraps all keys anew under a new master; the old one is needed no more', async (t) => {
    const { vault, file, table, reopen } = open(t)
    const numbers = Array.from({ length: 25 }, (_, index) => `120255501${String(index).padStart(2, '0')}`)
    const tokens = numbers.map((number) => vault.token(number))
    await vault.flush()
    const older = new Map(table.entries)
    VaultKeys.addMaster(file, nowMs)
    vault.adopt(VaultKeys.read(file))
    for (let at: string | null = '' as string | null; at !== null; ) at = await vault.rewrap(at === '' ? null : at, 10)
    VaultKeys.dropOldMasters(file)
    const after = reopen()
    assert.deepEqual(
      tokens.map((token) => after.reveal(token)),
      numbers,
    )
    // An older copy of the entries is worth nothing now.
    for (const [token, entry] of older) table.entries.set(token, entry)
    assert.deepEqual(new Set(tokens.map((token) => after.reveal(token))), new Set([null]))
  })

  it('refuses the key file of another vault, one that others may read, and one that is none', async (t) => {
    const { vault, table, file } = open(t)
    await vault.flush()
    const other = VaultKeys.readOrMake(`${scratchDirectory(t)}/other.json`, nowMs)
    const invalid = (thrown: unknown) => thrown instanceof OperatingError && thrown.code === 'config_invalid'
    const parts = { table, keys: other, cacheNumbersMax: 10, counters: zeroCounters() }
    assert.throws(() => new NumberVault(parts), invalid)
    assert.throws(() => vault.adopt(other), invalid)
    assert.equal(statSync(file).mode & 0o777, 0o600)
    chmodSync(file, 0o644)
    assert.throws(() => VaultKeys.read(file), invalid)
    assert.throws(() => VaultKeys.read(`${file}.none`), invalid)
  })

  it('remembers names in bounded memory and finds them on disk again', async (t) => {
    const { vault, counters } = open(t, 4)
    const numbers = Array.from({ length: 50 }, (_, index) => `120255501${String(index).padStart(2, '0')}`)
    for (const number of numbers) vault.token(number)
    await vault.flush()
    for (const number of numbers) vault.token(number)
    assert.equal(counters.vaultNumbersStored, 50)
    assert.equal(vault.unsaved, 0)
    assert.equal(vault.size, 50)
  })
})
