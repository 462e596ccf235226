/**
 * The firewall acts: from Twilio's socket to a request at Twilio's REST API and rows in ClickHouse, through the real
 * server process, in force. In shadow, over restarts and joined with signalling: actions.long.ts.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { check, desk, type House, house, play, synthetic, told } from '../fakes/acting-house.ts'
import { eventually } from '../fakes/server-process.ts'
import { randomSid } from '../fakes/twilio-caller.ts'

describe('the firewall in force', () => {
  let at: House
  before(async () => {
    at = await house({ shadow: false })
  })
  after(() => at?.close())

  it('redirects the call at Twilio once, while its stream goes on, and tells every step as an event', async (test) => {
    const abort = new AbortController()
    test.after(() => abort.abort())
    const headers = { authorization: `Bearer ${at.server.key()}` }
    const events = await fetch(`${at.server.url}/v1/events?types=action`, { headers, signal: abort.signal })
    const callSid = randomSid('CA')
    await play(await at.caller.stream(callSid), synthetic)
    const view = await at.ended(callSid)
    const asked = at.rest.asked.filter((update) => update.callSid === callSid)
    assert.deepEqual(
      asked.map((update) => update.form),
      [{ Twiml: check }],
    )
    assert.deepEqual(told(view).slice(3), ['aside redirect done', 'hang-up hangup superseded'])
    const latencyMs = view.actions[3]?.latencyMs ?? Number.NaN
    assert.ok(latencyMs >= 0 && latencyMs < 1000, `${latencyMs} ms from verdict to request`)
    let text = ''
    assert.ok(events.body)
    for await (const chunk of events.body) {
      text += new TextDecoder().decode(chunk as Uint8Array)
      if (text.includes('"rule":"hang-up"')) break
    }
    const aside = text.split('\n').filter((line) => line.startsWith('data: ') && line.includes('"rule":"aside"'))
    const changes = aside.map((line) => (JSON.parse(line.slice(6)) as { change: string }).change)
    assert.deepEqual(changes.slice(0, 1), ['decided'])
    assert.ok(!text.includes('"windows"'), 'the evidence is asked for')
  })

  it('acts once on a call whose stream drops and comes back, within the grace and after it', async () => {
    const callSid = randomSid('CA')
    const first = await at.caller.stream(callSid)
    first.recording(synthetic.subarray(0, 64_000))
    await eventually('the redirect', async () => (at.rest.asked.some((u) => u.callSid === callSid) ? true : undefined))
    first.socket.close()
    const second = await at.caller.stream(callSid)
    second.recording(synthetic.subarray(64_000))
    second.stop()
    await at.ended(callSid)
    await play(await at.caller.stream(callSid), synthetic)
    const view = await at.ended(callSid)
    assert.equal(view.actions.filter(({ state }) => state === 'done' || state === 'planned').length, 4)
    assert.equal(at.rest.asked.filter((update) => update.callSid === callSid).length, 1)
  })

  it('acts once on a call with two streams at a time', async () => {
    const callSid = randomSid('CA')
    const one = await at.caller.stream(callSid)
    const two = await at.caller.stream(callSid)
    for (let from = 0; from < synthetic.length; from += 160) {
      one.media(synthetic.subarray(from, from + 160))
      two.media(synthetic.subarray(from, from + 160))
    }
    two.stop()
    one.stop()
    const view = await at.ended(callSid)
    assert.equal(view.tracks.length, 1)
    assert.equal(at.rest.asked.filter((update) => update.callSid === callSid).length, 1)
  })

  it('leads the call back when an operator says so, stored with the name', async () => {
    const callSid = randomSid('CA')
    await play(await at.caller.stream(callSid), synthetic)
    const aside = (await at.ended(callSid)).actions.find((action) => action.rule === 'aside')
    const { status, body } = await at.post(`/v1/calls/${callSid}/actions/${aside?.id}/undo`, {})
    assert.equal(status, 200, JSON.stringify(body))
    assert.equal(body['state'], 'undone')
    const forms = at.rest.asked.filter((update) => update.callSid === callSid).map((update) => update.form)
    assert.deepEqual(forms, [{ Twiml: check }, { Twiml: desk }])
    assert.equal((await at.post(`/v1/calls/${callSid}/actions/${aside?.id}/undo`, {})).status, 409)
  })

  it('does nothing to a call that an operator took from it', async () => {
    const callSid = randomSid('CA')
    const stream = await at.caller.stream(callSid)
    await eventually('the call', async () => (await at.call(callSid).catch(() => undefined)) ?? undefined)
    assert.equal((await at.post(`/v1/calls/${callSid}/hands-off`, { on: true, note: 'known' })).status, 200)
    await play(stream, synthetic)
    const view = await at.ended(callSid)
    assert.ok(view.actions.length >= 4)
    assert.deepEqual([...new Set(view.actions.map((action) => action.state))], ['withheld'])
    assert.equal(view.handsOff?.note, 'known')
    assert.equal(at.rest.asked.filter((update) => update.callSid === callSid).length, 0)
  })

  it('lets the call go on when Twilio does not know it, or breaks, and says so', async () => {
    at.rest.mode = 'gone'
    const callSid = randomSid('CA')
    await play(await at.caller.stream(callSid), synthetic)
    const view = await at.ended(callSid)
    at.rest.mode = 'well'
    const aside = view.actions.find((action) => action.rule === 'aside')
    assert.deepEqual([aside?.state, aside?.result?.code], ['failed', 'call_over'])
    assert.equal(view.tracks[0]?.label, 'likely_synthetic', 'the verdict stands')
    assert.equal(view.tracks[0]?.audioMs, Math.floor(synthetic.length / 4000) * 500, 'every hop was heard')
  })
})
