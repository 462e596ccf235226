import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { test } from 'node:test'

const scratch = new URL('scratch.js', import.meta.url)

/** The folder that a process of its own was given, which then did `deed`. */
function folderOf(deed: string): string {
  const program = `
    import { spawn } from 'node:child_process'
    import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
    import { lastingDirectory } from '${scratch}'
    const folder = lastingDirectory()
    console.log(folder)
    mkdirSync(folder + '/a/b', { recursive: true })
    writeFileSync(folder + '/a/b/c', 'd')
    ${deed}`
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' })
  const folder = stdout.trim()
  assert.match(folder, /voicefw-test-/)
  return folder
}

test('scratch folders go with the process that asked for them, also when it fails', () => {
  for (const deed of ['', "throw new Error('a failed test')", 'process.exit(1)']) {
    const folder = folderOf(deed)
    assert.equal(existsSync(dirname(folder)), false, `after: ${deed}`)
  }
})

test('scratch folders go although a child of that process still writes while they do', () => {
  const writing = 'for i in $(seq 10000); do echo $i > $0/a/$i; done 2>/dev/null'
  const folder = folderOf(`
    spawn('sh', ['-c', ${JSON.stringify(writing)}, folder], { stdio: 'ignore', detached: true }).unref()
    while (!existsSync(folder + '/a/1000')) await new Promise((more) => setTimeout(more, 1))
    process.exit(1)`)
  assert.equal(existsSync(dirname(folder)), false)
})
