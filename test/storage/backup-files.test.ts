/** What makes a directory a backup. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { readManifest } from '../../src/storage/backup-files.ts'
import { scratchDirectory } from '../fakes/scratch.ts'

describe('a manifest', () => {
  it('that is missing, cut off or of something else is refused with what to do about it', (t) => {
    const directory = scratchDirectory(t)
    const refusal = (): unknown => {
      try {
        return readManifest(directory)
      } catch (thrown) {
        const { code, message } = thrown as { code: string; message: string }
        return `${code}: ${message.replaceAll(directory, 'DIR')}`
      }
    }
    assert.match(String(refusal()), /^bad_request: DIR\/manifest\.json is missing: the backup was cut off/)
    for (const text of ['{"format":1,', '{"format":2}', '[]']) {
      writeFileSync(`${directory}/manifest.json`, text)
      assert.match(
        String(refusal()),
        /^bad_request: DIR\/manifest\.json is no manifest of ours.*; take another backup$/,
      )
    }
  })
})
