import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { base64Decode } from '../../src/audio/base64.ts'

function decode(text: string): string | null {
  const bytes = new Uint8Array(64)
  const count = base64Decode(Buffer.from(text, 'latin1'), 0, text.length, bytes)
  return count < 0 ? null : Buffer.from(bytes.subarray(0, count)).toString('latin1')
}

// More against `atob` and the kernel: test/audio/kernels.test.ts.
describe('base64', () => {
  it('decodes the vectors of RFC 4648, padded or not', () => {
    const vectors = {
      '': '',
      f: 'Zg==',
      fo: 'Zm8=',
      foo: 'Zm9v',
      foob: 'Zm9vYg==',
      fooba: 'Zm9vYmE=',
      foobar: 'Zm9vYmFy',
    }
    for (const [plain, text] of Object.entries(vectors)) {
      assert.equal(decode(text), plain)
      assert.equal(decode(text.replaceAll('=', '')), plain)
    }
  })

  it('refuses wrong padding, other alphabets and white space', () => {
    for (const text of ['Z', 'Zg=', 'Zg===', '=', '====', 'Zm8=Zm8=', 'Zm-v', 'Zm_v', 'Zm9v ', 'Zm\n9', 'Zm9vé']) {
      assert.equal(decode(text), null, JSON.stringify(text))
    }
  })
})
