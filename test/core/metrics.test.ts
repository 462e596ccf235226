import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { counterTable, createMetrics } from '../../src/core/metrics.ts'

describe('metrics', () => {
  it('show a plain number that hot code added to as a Prometheus counter with its label', async () => {
    const metrics = createMetrics({ processMetrics: false })
    metrics.counters.mediaBinary += 3
    metrics.counters.mediaMalformed += 1
    const text = await metrics.text()
    assert.match(text, /^voicefw_media_dropped_total\{reason="binary"\} 3$/m)
    assert.match(text, /^voicefw_media_dropped_total\{reason="malformed"\} 1$/m)
    assert.match(text, /^# TYPE voicefw_media_dropped_total counter$/m)
  })

  it('count on over scrapes instead of starting anew', async () => {
    const metrics = createMetrics({ processMetrics: false })
    metrics.counters.mediaFrames = 5
    await metrics.text()
    metrics.counters.mediaFrames += 2
    assert.match(await metrics.text(), /^voicefw_media_frames_total 7$/m)
  })

  it('read gauges when somebody looks', async () => {
    const metrics = createMetrics({ processMetrics: false })
    let depth = 1
    metrics.gauge('depth', 'A depth', () => depth)
    depth = 9
    assert.match(await metrics.text(), /^voicefw_depth 9$/m)
  })

  it('are told apart: no two counters share a name and a label', () => {
    const seen = Object.values(counterTable).map(({ name, labels }) => name + JSON.stringify(labels))
    assert.equal(new Set(seen).size, seen.length)
  })

  it('that share a name share their help and their label names', () => {
    const known = new Map<string, string>()
    for (const { name, help, labels } of Object.values(counterTable)) {
      const shape = `${help} ${Object.keys(labels).join()}`
      assert.equal(known.get(name) ?? shape, shape, name)
      known.set(name, shape)
    }
  })
})
