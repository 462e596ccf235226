import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { evaluateVoice } from '../../src/cli/evaluate-voice.ts'
import { loadConfig } from '../../src/config/load.ts'
import { systemClock } from '../../src/core/clock.ts'
import { capturedTerminal } from '../fakes/captured-terminal.ts'
import { scratchDirectory } from '../fakes/scratch.ts'
import { writeTinyModel } from '../fakes/tiny-model.ts'
import { voiceLike } from '../fakes/voice-like.ts'

const { voice } = loadConfig({ env: {} }).detection

function rig(directory: string, list: string) {
  writeTinyModel(`${directory}/models`)
  for (const [at, name] of ['a', 'b', 'c', 'd'].entries()) {
    const bytes = voiceLike(at * 4000, 6 * 8000)
    // Quieter the later: the tiny model takes loud for synthetic.
    writeFileSync(`${directory}/${name}.ul`, at < 2 ? bytes : bytes.map((byte) => byte | 0x40))
  }
  writeFileSync(`${directory}/list.csv`, list)
  const captured = capturedTerminal()
  const run = (changes: object = {}) =>
    evaluateVoice({
      ...{ manifest: `${directory}/list.csv`, json: true, by: [], rounds: 20, modelsDir: `${directory}/models`, voice },
      ...{ clock: systemClock, terminal: captured, ...changes },
    })
  return { run, captured }
}

const head = 'path,label,speaker,system,condition\n'
const good = `${head}a.ul,spoof,s1,hts,gsm\nb.ul,spoof,s2,vits,gsm\nc.ul,bonafide,s3,,gsm\nd.ul,bonafide,s4,,wide\n`

describe('evaluate voice', () => {
  it('judges the list through the pipeline of live calls; bad rows are told, their neighbours go on', async (t) => {
    const directory = scratchDirectory(t)
    const { run, captured } = rig(directory, `${good}gone.ul,spoof,s9,hts,gsm\nx.ul,other,s,hts,gsm\n`)
    assert.equal(await run({ out: `${directory}/out` }), 1)
    const report = JSON.parse(captured.out[0] ?? '')
    assert.deepEqual([report.model, report.calls.human, report.calls.spoof], ['voice/tiny', 2, 2])
    assert.equal(report.overall.auc.value, 1)
    assert.deepEqual(Object.keys(report.bySystem), ['hts', 'vits'])
    assert.deepEqual(Object.keys(report.by.condition), ['gsm', 'wide'])
    assert.deepEqual(Object.keys(report.bySpeechLength), ['0.5 s', '1 s', '2 s', '4 s', '8 s'])
    const speechS = report.humanSpeechHours * 3600
    assert.ok(speechS > 8 && speechS <= 12, `${speechS} s of speech in two recordings of six`)
    assert.deepEqual(
      report.rejected.map(({ line }: { line: number }) => line),
      [6, 7],
    )
    assert.match(captured.err.join('\n'), /list\.csv:6: gone\.ul: audio_unreadable/)
    assert.ok(captured.shown.some((text) => text.includes('5 / 5')))
    const files = ['voice-tiny-det.svg', 'voice-tiny-reliability.svg', 'voice-tiny.html', 'voice-tiny.json']
    assert.deepEqual(readdirSync(`${directory}/out`).sort(), files)
    assert.match(readFileSync(`${directory}/out/voice-tiny.html`, 'utf8'), /gone\.ul/)
  })

  it('gives the same figures each time, and tables to people', async (t) => {
    const directory = scratchDirectory(t)
    const { run, captured } = rig(directory, good)
    assert.deepEqual([await run(), await run(), await run({ json: false })], [0, 0, 0])
    const [first, second, ...people] = captured.out
    assert.equal(first, second)
    assert.match(people.join('\n'), /false alarms an hour of human speech/)
    assert.match(people.join('\n'), /condition gsm +1 +2/)
  })

  it('is refused before any work for a column that is not there', async (t) => {
    const { run } = rig(scratchDirectory(t), good)
    await assert.rejects(run({ by: ['room'] }), /no column "room"/)
  })
})
