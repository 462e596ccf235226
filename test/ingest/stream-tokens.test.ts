/** One-time tokens. */
import { strict as assert } from 'node:assert'
import { randomBytes } from 'node:crypto'
import { it } from 'node:test'
import { ManualClock } from '../../src/core/clock.ts'
import { StreamTokens } from '../../src/ingest/stream-tokens.ts'

const facts = { callSid: 'CA1', accountSid: 'AC1', from: '', to: '', direction: '', stirVerstat: '' }

function tokensWith(tokensMax: number): {
  clock: ManualClock
  counters: { tokensEvicted: number }
  tokens: StreamTokens
} {
  const clock = new ManualClock()
  const counters = { tokensEvicted: 0 }
  return {
    clock,
    counters,
    tokens: new StreamTokens({ clock, tokenTtlMs: 60_000, tokensMax, random: randomBytes, counters }),
  }
}

it('a token opens one socket once', () => {
  const { tokens } = tokensWith(10)
  const token = tokens.issue(facts)
  assert.deepEqual(tokens.peek(token), facts)
  assert.deepEqual(tokens.take(token), facts)
  assert.equal(tokens.take(token), null)
  assert.equal(tokens.take(''), null)
  assert.equal(tokens.size, 0)
})

it('a token holds at least 128 random bits and fits a path segment', () => {
  const { tokens } = tokensWith(10)
  const [first, second] = [tokens.issue(facts), tokens.issue(facts)]
  assert.notEqual(first, second)
  assert.match(first, /^[A-Za-z0-9_-]{32}$/)
  assert.ok(Buffer.from(first, 'base64url').length * 8 >= 128)
})

it('a token expires after its time, also when nobody ticks', () => {
  const { clock, tokens } = tokensWith(10)
  const token = tokens.issue(facts)
  clock.advance(59_999)
  assert.deepEqual(tokens.peek(token), facts)
  clock.advance(1)
  assert.equal(tokens.take(token), null)
  tokens.issue(facts)
  clock.advance(60_000)
  const young = tokens.issue(facts)
  tokens.tick()
  assert.equal(tokens.size, 1)
  assert.deepEqual(tokens.peek(young), facts)
})

it('past tokensMax the oldest leaves and is counted', () => {
  const { counters, tokens } = tokensWith(2)
  const [oldest, middle, newest] = [tokens.issue(facts), tokens.issue(facts), tokens.issue(facts)]
  assert.equal(tokens.size, 2)
  assert.equal(tokens.peek(oldest), null)
  assert.deepEqual([tokens.peek(middle), tokens.peek(newest)], [facts, facts])
  assert.equal(counters.tokensEvicted, 1)
})
