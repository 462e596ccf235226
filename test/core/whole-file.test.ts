/** Files that are replaced as a whole, on disks that refuse. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { writeWholeFile } from '../../src/core/whole-file.ts'
import { scratchDirectory } from '../fakes/scratch.ts'

describe('a file that is replaced as a whole', () => {
  it('holds the new text, for its owner alone', (t) => {
    const file = join(scratchDirectory(t), 'keys.json')
    writeWholeFile(file, 'one')
    writeWholeFile(file, 'two')
    assert.equal(readFileSync(file, 'utf8'), 'two')
    assert.equal(statSync(file).mode & 0o777, 0o600)
  })

  it('stays as it was when the disk takes only a part of the new one, and no draft is left', (t) => {
    const directory = scratchDirectory(t)
    const file = join(directory, 'keys.json')
    writeFileSync(file, 'old')
    const entry = new URL('../../src/core/whole-file.js', import.meta.url)
    const script = `
      import { writeWholeFile } from '${entry}'
      try { writeWholeFile(${JSON.stringify(file)}, 'x'.repeat(100_000)); console.log('written') }
      catch (thrown) { console.log(thrown.code) }`
    // Files may have 8 blocks of 512 or 1024 bytes: the first write is cut short, the second refused.
    const shell = 'ulimit -f 8 && exec "$0" --input-type=module -e "$1"'
    const said = execFileSync('/bin/sh', ['-c', shell, process.execPath, script], { encoding: 'utf8' })
    assert.equal(said.trim(), 'EFBIG')
    assert.equal(readFileSync(file, 'utf8'), 'old')
    assert.deepEqual(readdirSync(directory), ['keys.json'])
  })
})
