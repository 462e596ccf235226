import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ManualClock } from '../../src/core/clock.ts'
import { createOutward } from '../../src/http/outward.ts'
import { sendSlack } from '../../src/notify/slack.ts'
import { receiver } from '../fakes/notices.ts'

const signal = new AbortController().signal

describe('Slack', () => {
  it('is sent the JSON of an incoming webhook, and told apart what it answers', async (t) => {
    const at = await receiver(t)
    const rooms = { outward: createOutward(), clock: new ManualClock(), timeoutMs: 1000 }
    const target = { webhookUrl: `${at.url}/T000/B000/secret`, allowPrivate: true }
    assert.deepEqual(await sendSlack(target, rooms, 'a *text*', signal), { state: 'done' })
    assert.equal(at.arrivals[0]?.headers['content-type'], 'application/json')
    assert.deepEqual(JSON.parse(at.arrivals[0]?.body ?? ''), {
      text: 'a *text*',
      unfurl_links: false,
      unfurl_media: false,
    })
    at.answer = () => 404
    assert.deepEqual(await sendSlack(target, rooms, 'x', signal), { state: 'refused', why: 'answered 404' })
    at.answer = () => 429
    assert.equal((await sendSlack(target, rooms, 'x', signal)).state, 'unavailable')
  })
})
