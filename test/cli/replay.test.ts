import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { describe, it } from 'node:test'
import { runReplay } from '../../src/cli/replay.ts'
import { loadConfig } from '../../src/config/load.ts'
import { systemClock } from '../../src/core/clock.ts'
import { call } from '../fakes/call-events.ts'
import { capturedTerminal } from '../fakes/captured-terminal.ts'

const cdr = loadConfig({ file: undefined, env: {} }).cdr

/** 150 one-ring calls in number order, and later ones that a block would have met. */
function wangiriLines(): string[] {
  return Array.from({ length: 300 }, (_, n) =>
    JSON.stringify(call({ from: '2215550001', to: `4915112${30_000 + n}`, atS: n * 5, ringS: 3 + (n % 3) })),
  )
}

async function replay(text: string, json: boolean) {
  const captured = capturedTerminal()
  const code = await runReplay({
    file: '-',
    source: 'canonical',
    format: 'ndjson',
    top: 20,
    json,
    cdr,
    clock: systemClock,
    terminal: captured,
    input: Readable.from([Buffer.from(text)]),
  })
  return { code, printed: captured.out.join('\n'), remarked: captured.err.join('\n') }
}

describe('voicefw replay', () => {
  it('prints the cases with reasons, evidence and times, and the forecast, as one JSON object', async () => {
    const { code, printed } = await replay(`${wangiriLines().join('\n')}\n{"broken":1}\n`, true)
    assert.equal(code, 0)
    const found = JSON.parse(printed)
    assert.equal(found.counts.records, 300)
    assert.equal(found.counts.rejected, 1)
    assert.equal(found.cases.length, 1)
    const [it] = found.cases
    assert.deepEqual([it.kind, it.subject], ['wangiri', { type: 'number', value: '2215550001' }])
    assert.match(it.reasons.map((each: { text: string }) => each.text).join(), /called in number order/)
    assert.ok(it.evidence.length > 0 && it.firstSeen < it.openedAt && it.openedAt <= it.lastSeen)
    const [hour] = found.forecast.perHour
    assert.equal(hour.alerts, 1)
    assert.equal(hour.attempts, 300)
    assert.ok(hour.block > 100 && hour.block + hour.allow === 300)
    assert.deepEqual(found.forecast.wouldBlock, [
      { subject: 'number:2215550001', kind: 'wangiri', action: 'block', calls: hour.block, conversations: 0 },
    ])
  })

  it('prints a report for people', async () => {
    const { code, printed } = await replay(wangiriLines().join('\n'), false)
    assert.equal(code, 0)
    assert.match(printed, /1\. wangiri {2}number:2215550001/)
    assert.match(printed, /Who would have been blocked/)
  })

  it('says so when nothing is odd', async () => {
    const { printed } = await replay(JSON.stringify(call({ from: '4930123456', to: '4989123456', atS: 0 })), false)
    assert.match(printed, /No cases\./)
    assert.match(printed, /Nobody would have been blocked/)
  })

  it('fails with 1 when no record maps, and with 2 for a source that is not there', async () => {
    assert.equal((await replay('{"broken":1}\n', true)).code, 1)
    const captured = capturedTerminal()
    const options = { top: 1, json: true, cdr, clock: systemClock, terminal: captured }
    assert.equal(await runReplay({ ...options, file: '-', source: 'nowhere', input: Readable.from([]) }), 2)
    assert.match(captured.err.join(), /no source "nowhere"/)
  })
})
