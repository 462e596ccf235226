import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Origins } from '../../src/access/origins.ts'

describe('origins', () => {
  const origins = new Origins({
    publicUrl: 'https://voice.example.com/fw',
    browserOrigins: ['https://desk.example.com'],
  })
  const permits = (headers: Record<string, string>): boolean => origins.permits(new Map(Object.entries(headers)))

  it('let in programs, our own page, the public URL and who is named', () => {
    assert.equal(permits({}), true)
    assert.equal(permits({ origin: 'http://127.0.0.1:8080', host: '127.0.0.1:8080' }), true)
    assert.equal(permits({ origin: 'https://voice.example.com', host: 'inner:8080' }), true)
    assert.equal(permits({ origin: 'https://desk.example.com', host: 'inner:8080' }), true)
  })

  it('keep out every other page, also one that hides', () => {
    for (const origin of [
      'https://evil.example.com',
      'null',
      'http://voice.example.com',
      'http://127.0.0.1:9090',
      '',
    ]) {
      assert.equal(permits({ origin, host: '127.0.0.1:8080' }), false, origin)
    }
  })
})
