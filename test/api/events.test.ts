import assert from 'node:assert/strict'
import { describe, it, mock } from 'node:test'
import type { HttpStream, StreamWriter } from '../../src/http/exchange.ts'
import { fakeApi } from '../fakes/api.ts'
import { ask, askJson, headersOf, request } from '../fakes/people.ts'

class FakeWriter implements StreamWriter {
  text = ''
  ended = false
  slow = false

  write(text: string): boolean {
    assert.equal(this.ended, false, 'nothing is written after the end')
    this.text += text
    return !this.slow
  }

  waiting = false

  drained(): boolean {
    return !this.waiting
  }

  end(): void {
    this.ended = true
  }

  /** Fields of the events so far; comments and retry left out. */
  get events(): string[] {
    return this.text.split('\n\n').filter((block) => block.startsWith('id:'))
  }
}

async function listen(api: ReturnType<typeof fakeApi>, query = '', header: Record<string, string> = {}) {
  const asked = request(`/v1/events?${query}`, { header: { ...api.header, ...header } })
  const answer = await ask(api.routes, asked)
  assert.ok('open' in answer, JSON.stringify(answer))
  const writer = new FakeWriter()
  return { writer, answer: answer as HttpStream, close: (answer as HttpStream).open(writer) }
}

const first = Date.UTC(2026, 0, 1) * 1000

describe('GET /v1/events', () => {
  it('writes id, event and data as the WHATWG format says', async () => {
    const api = fakeApi()
    const { writer, answer } = await listen(api)
    api.bus.publish('verdict', { callSid: 'CA1', score: 0.5 })
    assert.equal(headersOf(answer)['content-type'], 'text/event-stream; charset=utf-8')
    assert.equal(headersOf(answer)['cache-control'], 'no-store')
    assert.equal(writer.text, `retry: 2000\n\nid: ${first}\nevent: verdict\ndata: {"callSid":"CA1","score":0.5}\n\n`)
  })

  it('keeps a newline inside data inside its line', async () => {
    const api = fakeApi()
    const { writer } = await listen(api)
    api.bus.publish('verdict', { text: 'a\nid: 1\r\n\nb' })
    assert.equal(writer.events.length, 1)
    assert.match(writer.text, /data: \{"text":"a\\nid: 1\\r\\n\\nb"\}\n\n$/)
  })

  it('resumes by Last-Event-ID and tells a gap', async () => {
    const api = fakeApi({ keepMax: 2 })
    for (let n = 0; n < 4; n++) api.bus.publish('verdict', { n })
    const { writer } = await listen(api, '', { 'last-event-id': String(first + 2) })
    assert.deepEqual(writer.events, [`id: ${first + 3}\nevent: verdict\ndata: {"n":3}`])
    const late = await listen(api, 'types=verdict', { 'last-event-id': String(first) })
    assert.match(late.writer.events[0] ?? '', /event: health\ndata: \{"code":"events_missed"/)
    const byQuery = await listen(api, `lastEventId=${first + 2}`)
    assert.deepEqual(byQuery.writer.events, writer.events, 'the query says it too, for the first connection of a page')
    const wrong = await askJson(api.routes, request('/v1/events', { header: { ...api.header, 'last-event-id': '-1' } }))
    assert.equal(wrong.status, 400)
  })

  it('resumes a long absence in chunks, as fast as the peer takes them, then goes on live without a seam', async () => {
    mock.timers.enable({ apis: ['setTimeout', 'setInterval'] })
    try {
      const api = fakeApi({ keepMax: 5000 })
      const filler = 'x'.repeat(400)
      for (let n = 0; n < 1000; n++) api.bus.publish('verdict', { n, filler })
      const { writer } = await listen(api, '', { 'last-event-id': String(first) })
      const chunk = writer.text.length
      assert.ok(chunk >= 65_536 && chunk < 70_000, `${chunk} characters at once`)
      writer.waiting = true
      mock.timers.tick(1000)
      assert.equal(writer.text.length, chunk, 'nothing more while the first chunk waits')
      writer.waiting = false
      api.bus.publish('verdict', { n: 1000, filler })
      for (let tick = 0; tick < 20; tick++) mock.timers.tick(10)
      api.bus.publish('verdict', { n: 1001, filler })
      const got = writer.events.map((event) => Number(/"n":(\d+)/.exec(event)?.[1]))
      assert.deepEqual(
        got,
        Array.from({ length: 1001 }, (_, n) => n + 1),
      )
    } finally {
      mock.timers.reset()
    }
  })

  it('filters by type and by call', async () => {
    const api = fakeApi()
    const health = await listen(api, 'types=health,model')
    const one = await listen(api, 'types=verdict&callSid=CA2')
    api.bus.publish('verdict', { callSid: 'CA1' })
    api.bus.publish('verdict', { callSid: 'CA2' })
    api.bus.publish('health', {})
    assert.deepEqual([health.writer.events.length, one.writer.events.length], [1, 1])
    const bad = await askJson(api.routes, request('/v1/events?types=verdict,weather', { header: api.header }))
    assert.equal(bad.status, 400)
  })

  it('closes who cannot keep up, counted, and never writes to them again', async () => {
    const api = fakeApi()
    const { writer, close } = await listen(api)
    writer.slow = true
    api.bus.publish('verdict', {})
    api.bus.publish('verdict', {})
    assert.deepEqual([writer.ended, writer.events.length, api.counters.eventSubscribersSlow], [true, 1, 1])
    assert.equal(api.subscribers.size, 0)
    close()
  })

  it('refuses more subscribers than configured with 503, and frees the place of who leaves', async () => {
    const api = fakeApi({ subscribersMax: 1 })
    const { close } = await listen(api)
    const full = await askJson(api.routes, request('/v1/events', { header: api.header }))
    assert.deepEqual([full.status, full.body['code'], full.headers['retry-after']], [503, 'capacity_full', '2'])
    assert.equal(api.counters.eventSubscribersRefused, 1)
    close()
    await listen(api)
  })

  it('sends a comment every 15 s while nothing happens, until the peer has gone', async () => {
    mock.timers.enable({ apis: ['setInterval'] })
    try {
      const api = fakeApi()
      const { writer, close } = await listen(api)
      mock.timers.tick(30_000)
      assert.equal(writer.text, 'retry: 2000\n\n: heartbeat\n\n: heartbeat\n\n')
      close()
      mock.timers.tick(30_000)
      api.bus.publish('verdict', {})
      assert.equal(writer.text.length, 'retry: 2000\n\n: heartbeat\n\n: heartbeat\n\n'.length)
    } finally {
      mock.timers.reset()
    }
  })
})
