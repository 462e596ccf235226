import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { errorCodes, OperatingError } from '../../src/core/errors.ts'

describe('an operating error', () => {
  it('says its status, whose fault it is and whether to retry', () => {
    const error = new OperatingError('storage_unavailable', 'ClickHouse does not answer', { got: 'ECONNREFUSED' })
    assert.deepEqual(
      [error.status, error.domain, error.retryable, error.got],
      [503, 'dependency', true, 'ECONNREFUSED'],
    )
  })

  it('is retryable only with a status that HTTP clients retry (RFC 9110: 408, 429, 503), or inside', () => {
    for (const [code, { status, retryable }] of Object.entries(errorCodes)) {
      if (retryable && code !== 'worker_lost') assert.ok([408, 429, 503].includes(status), code)
    }
  })
})
