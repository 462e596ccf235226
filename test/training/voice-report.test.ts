import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type VerdictSettings, VoiceVerdict } from '../../src/decisions/voice-verdict.ts'
import type { ScoredHop } from '../../src/inference/scored-hop.ts'
import { CallCollector, type CallFacts } from '../../src/training/call-facts.ts'
import { repeatable } from '../../src/training/detection-measures.ts'
import { readVoiceList } from '../../src/training/voice-list.ts'
import { type JudgedCall, voiceReport } from '../../src/training/voice-report.ts'

const settings: VerdictSettings = {
  provisionalNetSpeechMs: 1500,
  firmNetSpeechMs: 4000,
  forgettingHalfLifeMs: 10_000,
  dwellMs: 1000,
  lossShareMax: 0.2,
  hysteresis: 0.05,
  synthetic: 0.8,
  human: 0.2,
  model: 'voice/test',
}

function hop(at: number, llr: number, hopSpeechMs = 500): ScoredHop {
  return {
    trackId: 1,
    windowStartMs: 0,
    hopStartMs: at * 500,
    hopEndMs: at * 500 + 500,
    hopSpeechMs,
    windowSpeechMs: 4000,
    llr,
    flags: 0,
    filledMs: 0,
    lostMs: 0,
    duplicates: 0,
    enteredMs: 0,
  }
}

function factsOf(hops: readonly ScoredHop[], changes: Partial<VerdictSettings> = {}): CallFacts {
  const verdict = new VoiceVerdict('inbound', { ...settings, ...changes }, 0)
  const collector = new CallCollector(settings)
  for (const each of hops) {
    verdict.observe(each, each.hopEndMs)
    collector.heard(each, verdict)
  }
  return collector.facts()
}

describe('what came of a call', () => {
  it('has the evidence at each length of net speech, whatever pauses lie between', () => {
    const hops = [hop(0, 2, 250), hop(1, Number.NaN, 0), hop(2, 2, 250), hop(3, 2), hop(4, 2), hop(5, 2)]
    const { llrAfter, endLlr, netSpeechMs, audioMs } = factsOf(hops)
    const near = llrAfter.map((llr) => (llr === null ? null : Math.round(llr * 1e6) / 1e6))
    assert.deepEqual(near, [2, 2, 2, null, null])
    assert.ok(Math.abs((endLlr ?? 0) - 2) < 1e-9)
    assert.deepEqual([netSpeechMs, audioMs], [2000, 3000])
  })

  it('says from which threshold on the engine would have raised an alarm', () => {
    const random = repeatable(4)
    let alarms = 0
    for (let call = 0; call < 60; call += 1) {
      const hops = Array.from({ length: 4 + Math.floor(random() * 20) }, (_, at) => {
        const speechMs = random() < 0.2 ? 40 : 100 + Math.floor(random() * 40) * 10
        return hop(at, speechMs < 100 ? Number.NaN : (random() - 0.45) * 8, speechMs)
      })
      const { alarmLlr } = factsOf(hops)
      for (const llr of [-1, -0.3, 0, 0.4, 1, 2]) {
        // Without a human zone: only the synthetic threshold decides.
        const facts = factsOf(hops, { synthetic: 1 / (1 + Math.exp(-llr)), human: -1 })
        const alarmed = facts.labels.some(({ label }) => label === 'likely_synthetic')
        assert.equal(alarmed, alarmLlr !== null && alarmLlr >= llr, `call ${call} at ${llr}: ${alarmLlr}`)
        if (alarmed) alarms += 1
      }
    }
    assert.ok(alarms > 50 && alarms < 310, `${alarms} of 360`)
  })
})

/** A call whose evidence is `llr` throughout, of so much speech. */
function call(isSpoof: boolean, llr: number, changes: Partial<JudgedCall> = {}, seconds = 10): JudgedCall {
  const facts = factsOf(Array.from({ length: seconds * 2 }, (_, at) => hop(at, llr)))
  const names = { file: 'f.wav', speaker: isSpoof ? 'bot' : 'ann', system: isSpoof ? 'hts' : '' }
  return { isSpoof, ...names, groups: { language: 'en' }, facts, ...changes }
}

describe('the report', () => {
  const calls = [
    call(false, -3),
    call(false, -3, { speaker: 'bob', groups: { language: 'nl' } }, 900),
    call(false, 3, { speaker: 'bob', groups: { language: 'nl' } }),
    call(true, 4),
    call(true, 0, { speaker: 'bot2' }),
    call(true, -4, { system: 'vits' }),
    call(true, 4, {}, 1),
  ]
  const options = { thresholds: { synthetic: 0.8, human: 0.2 }, groupedBy: ['language'], rounds: 20 }
  const report = voiceReport(calls, options)

  it('counts false alarms over hours of human speech, by speaker and by group', () => {
    const { falseAlarms } = report
    assert.equal(falseAlarms.alarms, 1)
    assert.equal(falseAlarms.hours, 920 / 3600)
    assert.equal(falseAlarms.perHour?.value.toFixed(6), (3600 / 920).toFixed(6))
    assert.deepEqual([falseAlarms.bySpeaker['ann']?.alarms, falseAlarms.bySpeaker['bob']?.alarms], [0, 1])
    // English has ten seconds of speech: too little for a rate.
    assert.equal(falseAlarms.worstGroup?.group, 'language nl')
    const times = falseAlarms.worstGroup?.timesAverage ?? 0
    assert.ok(Math.abs(times - 920 / 910) < 1e-9)
  })

  it('tells labels at the end, and how long the right one took', () => {
    const { human, spoof, bySystem } = report.engine
    assert.deepEqual([human.right?.value, human.wrong?.value], [2 / 3, 1 / 3])
    // 4 right, 0 inconclusive, -4 wrong, one second is too little.
    const shares = [spoof.right, spoof.wrong, spoof.inconclusive, spoof.insufficient].map((share) => share?.value)
    assert.deepEqual(shares, [0.25, 0.25, 0.25, 0.25])
    assert.equal(spoof.firstRightLabel.netSpeechS.median, 1.5)
    assert.equal(bySystem['vits']?.wrong?.value, 1)
    assert.equal(spoof.changesPerCall, 0)
  })

  it('holds each system against all people, and each group against its own', () => {
    assert.deepEqual([report.bySystem['vits']?.human, report.bySystem['vits']?.spoof], [3, 1])
    // -4 lies under all people.
    assert.equal(report.bySystem['vits']?.auc?.value, 0)
    assert.deepEqual([report.by['language']?.['nl']?.human, report.by['language']?.['nl']?.eer], [2, null])
    const families = calls.map(
      (each): JudgedCall => ({ ...each, groups: { family: each.system === 'vits' ? 'vae' : each.system } }),
    )
    const by = voiceReport(families, { ...options, groupedBy: ['family'] }).by['family'] ?? {}
    assert.deepEqual(Object.keys(by), ['hts', 'vae'])
    assert.deepEqual([by['vae']?.human, by['vae']?.spoof], [3, 1])
    const after = report.bySpeechLength['8 s']?.['all']
    assert.deepEqual([after?.human, after?.spoof], [3, 3], 'a call of one second has no evidence after eight')
  })
})

describe('the list', () => {
  const head = 'path,label,speaker,system,language\n'

  it('takes columns in any order, quoted cells, and more columns to group by', () => {
    const { rows, bad, columns } = readVoiceList(
      '\uFEFFlabel,room,path,speaker,system\r\nspoof,"a, ""b""","x\ny.wav",s,hts\r\n\n',
    )
    assert.deepEqual(bad, [])
    assert.deepEqual(columns, ['room'])
    const groups = { room: 'a, "b"' }
    assert.deepEqual(rows, [{ line: 2, path: 'x\ny.wav', isSpoof: true, speaker: 's', system: 'hts', groups }])
  })

  it('tells each wrong row with its line and takes the others', () => {
    const { rows, bad } = readVoiceList(
      `${head}a.wav,fake,s,x,en\nb.wav,bonafide,s,,en\n,spoof,s,x,en\nc.wav,spoof,,x,en\nd.wav,spoof,s,,en\n` +
        'e.wav,spoof,s,x',
    )
    assert.deepEqual(
      rows.map(({ path, line }) => [path, line]),
      [['b.wav', 3]],
    )
    assert.deepEqual(
      bad.map(({ line }) => line),
      [2, 4, 5, 6, 7],
    )
    assert.match(bad[0]?.detail ?? '', /label must be bonafide or spoof, got "fake"/)
  })

  it('is refused without its columns', () => {
    assert.throws(() => readVoiceList('path,label\na,b'), /lacks speaker, system/)
  })
})
