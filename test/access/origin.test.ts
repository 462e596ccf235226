import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isOwnOrigin } from '../../src/access/origin.ts'

function asked(headers: Record<string, string>, publicUrl: string | null = null): boolean {
  return isOwnOrigin(new Map(Object.entries(headers)), publicUrl)
}

describe('origins of browser sockets', () => {
  it('takes programs, which send none, and our own pages under the host they asked or the public one', () => {
    assert.equal(asked({ host: '127.0.0.1:8080' }), true)
    assert.equal(asked({ host: '127.0.0.1:8080', origin: 'http://127.0.0.1:8080' }), true)
    assert.equal(
      asked({ host: 'inside:8080', origin: 'https://voice.example.com' }, 'https://voice.example.com/x'),
      true,
    )
  })

  it('refuses pages of other hosts, ports and schemes, opaque origins and nonsense', () => {
    assert.equal(asked({ host: '127.0.0.1:8080', origin: 'http://127.0.0.1:9090' }), false)
    assert.equal(asked({ host: 'voice.example.com', origin: 'https://voice.example.com.evil.example' }), false)
    assert.equal(asked({ host: 'inside', origin: 'http://voice.example.com' }, 'https://voice.example.com'), false)
    assert.equal(asked({ host: '127.0.0.1:8080', origin: 'null' }), false)
    assert.equal(asked({ host: '127.0.0.1:8080', origin: '' }), false)
  })
})
