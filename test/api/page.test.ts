import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { Page } from '../../src/api/page.ts'
import { headersOf, request } from '../fakes/people.ts'
import { lastingDirectory } from '../fakes/scratch.ts'

function page() {
  const directory = lastingDirectory()
  writeFileSync(join(directory, 'index.html'), '<!doctype html>')
  writeFileSync(join(directory, 'main.js'), 'start()')
  return new Page(directory)
}

describe('page', () => {
  it('allows the browser nothing but our own files', () => {
    const headers = headersOf(page().answer(request('/')))
    assert.equal(
      headers['content-security-policy'],
      "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    )
    assert.equal(headers['content-type'], 'text/html; charset=utf-8')
  })

  it('answers 304 to who has it', () => {
    const served = page()
    const full = served.answer(request('/main.js'))
    const etag = headersOf(full)['etag'] ?? ''
    assert.equal(String(full.body), 'start()')
    assert.equal(served.answer(request('/main.js', { header: { 'if-none-match': `"x", ${etag}` } })).status, 304)
    assert.equal(served.answer(request('/main.js', { header: { 'if-none-match': '"x"' } })).status, 200)
  })

  it('says how to build it when it is not built', () => {
    assert.throws(() => page().answer(request('/main.css')), { code: 'not_found', message: /npm run build:page/ })
  })
})
