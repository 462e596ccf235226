import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { muLawToLinear } from '../../src/audio/g711.ts'
import { interpolatorTaps, upsample2 } from '../../src/audio/resample.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import { VoiceFrontEnd } from '../../src/features/voice-front-end.ts'
import type { HopDetector } from '../../src/inference/hop-detector.ts'
import { hopMsOf, hopSpecOf, loadDetector } from '../../src/inference/load-detector.ts'
import { loadManifest, type VoiceModel } from '../../src/inference/model-file.ts'
import type { ScoredHop } from '../../src/inference/scored-hop.ts'
import { WindowDetector } from '../../src/inference/window-detector.ts'
import { WindowInput } from '../../src/inference/window-input.ts'
import { ratioOf } from '../../src/inference/window-session.ts'
import { SecondStage, type WindowJudge, windowsWaitingMax } from '../../src/worker/second-stage.ts'
import { loadSecondStage, openDetector } from '../../src/worker/staged-detector.ts'
import { VoicePipeline } from '../../src/worker/voice-pipeline.ts'
import { hear } from '../fakes/line-audio.ts'
import { levelModel, powerGain, powerModel, writeOwnModel } from '../fakes/own-models.ts'
import { scratchDirectory } from '../fakes/scratch.ts'
import { tinyManifest, tinyOnnx } from '../fakes/tiny-model.ts'
import { voiceLike } from '../fakes/voice-like.ts'

/** Ratios of the hops of `bytes` as one track of the live pipeline, in 20 ms messages. */
async function llrs(bytes: Uint8Array, detector: HopDetector, model: VoiceModel, spec = hopSpecOf(model.manifest)) {
  const pipeline = new VoicePipeline({
    frontEnd: VoiceFrontEnd.create(spec, 2),
    detector,
    hopMs: hopMsOf(model.manifest),
    gapFillMsMax: 100,
    tracksMax: 2,
    counters: zeroCounters(),
  })
  pipeline.open(1)
  const hops: ScoredHop[] = []
  for (let at = 0; at < bytes.length; at += 160) {
    const text = Buffer.from(Buffer.from(bytes.subarray(at, at + 160)).toString('base64'))
    pipeline.frame(1, at / 8, text, 0, text.length, 0)
    await pipeline.tick((hop) => hops.push(hop))
  }
  return hops.map(({ llr }) => llr)
}

const line = new Uint8Array(voiceLike(0, 3.5 * 8000))
const samples = Float32Array.from(line, (byte) => muLawToLinear[byte]! / 32768)

function meanSquare(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value * value, 0) / values.length
}

function near(got: readonly number[], wanted: readonly number[]): void {
  assert.equal(got.length, wanted.length)
  for (const [i, value] of wanted.entries()) {
    assert.ok(Math.abs(got[i]! - value) <= 1e-4 * Math.max(1, Math.abs(value)), `${i}: ${got[i]}, wanted ${value}`)
  }
}

describe('a model of another maker', () => {
  it('judges the newest waveform at 8 kHz, a short one repeated, by the polarity of its columns', async () => {
    const model = powerModel({
      calibration: { scale: 2, offset: -1 },
      output: { ...powerModel().manifest.output, columns: ['human', 'synthetic'] },
    })
    const detector = await loadDetector(model, { batchMax: 2 })
    const got = await llrs(line, detector, model)
    // Half a second four times over, a second twice, one and a half and its first third, then the last two seconds.
    const windows = [1, 2, 3, 4, 5, 6, 7].map((hops) => {
      const heard = samples.subarray(Math.max(0, hops - 4) * 4000, hops * 4000)
      return Float32Array.from({ length: 16_000 }, (_, i) => heard[i % heard.length]!)
    })
    near(
      got,
      windows.map((window) => -1 - 2 * 2 * powerGain * meanSquare(window)),
    )
    await detector.release()
  })

  it('hears 16 kHz, full scale 32768, a channel axis; between its hops of 1 s the last finding stands', async () => {
    const input = { kind: 'waveform', name: 'wave', samples: 32_000, channelAxis: true, scale: 32_768 } as const
    const changes = { sampleRateHz: 16_000, input, hop: { ms: 1000 }, short: 'zeros-before' } as const
    const model = powerModel({ ...changes, calibration: { scale: 1e-9, offset: 0 } }, true)
    const detector = await loadDetector(model, { batchMax: 2 })
    const got = await llrs(line, detector, model)
    const silent = new Float32Array(39 + samples.length)
    silent.set(samples, 39)
    const wide = upsample2(silent, interpolatorTaps())
    const power = (hops: number): number => {
      const heard = wide.subarray(Math.max(0, hops - 4) * 8000, hops * 8000)
      return (heard.reduce((sum, value) => sum + (value * 32_768) ** 2, 0) / 32_000) * 2 * powerGain * 1e-9
    }
    near(got, [1, 1, 3, 3, 5, 5, 7].map(power))
    await detector.release()
  })

  it('takes band features of ours, bands first, and a probability of the human class', async () => {
    const model = levelModel({ short: 'zeros-after' })
    const detector = await loadDetector(model, { batchMax: 2 })
    const got = await llrs(line, detector, model)
    const { features } = hear(line)
    const level = (hops: number[]): number => {
      const all = hops.flatMap((hop) => [...features[hop]!.subarray(20 * 60)])
      return 8 + all.reduce((sum, value) => sum + value, 0) / 6000
    }
    // The probability of "human" is the logistic of the level: its log-odds are the level, and speak for human.
    near(
      got,
      [[0], [0, 1], [1, 2], [2, 3], [3, 4], [4, 5], [5, 6]].map((hops) => -level(hops)),
    )
    await detector.release()
  })

  it('may say one or two things, as logits or probabilities, in either polarity', () => {
    const name = 'x'
    const of = (form: 'logit' | 'probability', columns: ('human' | 'synthetic')[], ...values: number[]) =>
      ratioOf({ name, form, columns }, Float32Array.from(values), 0)
    near([of('logit', ['synthetic'], 1.5), of('logit', ['human'], 1.5)], [1.5, -1.5])
    near([of('logit', ['human', 'synthetic'], -1, 2), of('logit', ['synthetic', 'human'], -1, 2)], [3, -3])
    // 0.8 against 0.2 is 4 : 1.
    near(
      [of('probability', ['synthetic'], 0.8), of('probability', ['human', 'synthetic'], 0.8, 0.2)],
      [Math.log(4), -Math.log(4)],
    )
    assert.ok(Number.isFinite(of('probability', ['synthetic'], 1)))
  })

  it('is refused when it would hold up all calls of its thread, with where it belongs', async () => {
    await assert.rejects(WindowDetector.load(powerModel(), { batchMax: 2, runMsMax: -1 }), /secondStage/)
  })

  it('is refused when its keys contradict one another or the file has no such output', async (t) => {
    const dir = scratchDirectory(t)
    const refusal = (changes: object): string => {
      writeOwnModel(dir, { ...powerModel(), manifest: { ...powerModel().manifest, ...changes } })
      try {
        loadManifest(`${dir}/voice/power`)
      } catch (thrown) {
        return String(thrown)
      }
      return assert.fail('was accepted')
    }
    assert.match(refusal({ hop: { ms: 550 } }), /hop\.ms/)
    assert.match(refusal({ hop: { ms: 3000 } }), /window of 2000 ms; it must last at least hop\.ms 3000/)
    const { output } = powerModel().manifest
    assert.match(refusal({ output: { ...output, columns: ['human', 'human'] } }), /must not name "human" twice/)
    const wrong = powerModel({ output: { ...output, name: 'scores' } })
    await assert.rejects(loadDetector(wrong, { batchMax: 1 }), /outputs must be scores; got/)
  })
})

/** First stage: the ratio is the hop's first feature, its novelty the second. Embedding: one float. */
function firstStage(): HopDetector {
  const rows = (floats: number): Float32Array => new Float32Array(4 * floats)
  const inputs = { features: rows(6), speech: rows(1), history: rows(1), historyWeight: rows(1) }
  const logit = rows(1)
  const novelty = rows(1)
  return {
    row: { features: 6, speech: 1, historyHops: 1, embedding: 1 },
    batchMax: 4,
    inputs,
    embedding: rows(1).fill(7),
    logit,
    novelty,
    run: async (count) => {
      for (let row = 0; row < count; row += 1) {
        logit[row] = inputs.features[row * 6]!
        novelty[row] = inputs.features[row * 6 + 1]!
      }
    },
    warm: async () => {},
    release: async () => {},
  }
}

interface Ask {
  readonly window: number[]
  readonly answer: (llr: number, busyMs?: number) => Promise<void>
}

/** A cascade whose window is two hops of two samples, with a clock and a judge held by the test. */
function cascade(cpuShareMax: number | null = 0.5) {
  const asks: Ask[] = []
  const judge: WindowJudge = {
    judge: (window) =>
      new Promise((resolve) => {
        const answer = async (llr: number, busyMs = 0) => {
          resolve({ llr, busyMs })
          await new Promise((done) => setImmediate(done))
        }
        asks.push({ window: [...window], answer })
      }),
    close: async () => {},
  }
  const input = { kind: 'waveform', name: 'w', samples: 4, channelAxis: false, scale: 1 } as const
  const window = new WindowInput({ ...powerModel().manifest, input, sampleRateHz: 8000 }, 0.25)
  const counters = zeroCounters()
  const clock = { nowMs: 0, steadyMs: () => clock.nowMs, wallMs: () => clock.nowMs }
  const stage = new SecondStage({
    ...{ first: firstStage(), window, judge, every: 2, audioSamples: 2, suspectLlr: 0, cpuShareMax, clock, counters },
  })
  const { embedding, historyHops } = stage.row
  const last = new Map<number, Float32Array>()
  return {
    stage,
    asks,
    counters,
    clock,
    /** One hop of one track: what the first says of it, its two samples; the answer is the hop's ratio. */
    hop: async (track: number, first: number, a: number, b: number, novelty = 0): Promise<number> => {
      const past = last.get(track)
      stage.inputs.historyWeight.fill(0)
      if (past !== undefined) {
        stage.inputs.historyWeight[historyHops - 1] = 1
        stage.inputs.history.set(past, (historyHops - 1) * embedding)
      }
      stage.inputs.features.set([first, novelty, 0, 0, 0, 0, a, b])
      await stage.run(1)
      last.set(track, stage.embedding.slice(0, embedding))
      return stage.logit[0]!
    },
  }
}

describe('a second stage', () => {
  it('hears windows of suspicious hops alone, and its answer counts from then on', async () => {
    const { hop, asks, counters } = cascade()
    assert.equal(await hop(1, -2, 10, 11), -2)
    assert.equal(asks.length, 0)
    assert.equal(await hop(1, 3, 12, 13), 3)
    assert.deepEqual(asks[0]?.window, [10, 11, 12, 13])
    await asks[0]?.answer(-5)
    assert.equal(await hop(1, 3, 14, 15), -5)
    assert.equal(await hop(1, -2, 16, 17), -2, 'what the first takes for human stays so')
    assert.equal(counters.secondStageJudged, 1)
  })

  it('leaves what is unfamiliar to the first out, until the second has said what it finds', async () => {
    const { hop, asks, stage } = cascade()
    await hop(1, 3, 1, 1, 2)
    assert.equal(stage.novelty[0], 2)
    await asks[0]?.answer(5)
    assert.deepEqual([await hop(1, 3, 1, 1, 2), stage.novelty[0]], [5, 0])
    assert.deepEqual([await hop(1, -2, 1, 1, 2), stage.novelty[0]], [-2, 2], 'not suspicious: the first stands alone')
  })

  it('keeps tracks apart, and asks again after its own hop', async () => {
    const { hop, asks } = cascade()
    await hop(1, 3, 1, 1)
    await hop(2, 4, 2, 2)
    assert.equal(asks.length, 2)
    await asks[0]?.answer(-5)
    await asks[1]?.answer(9)
    assert.deepEqual([await hop(1, 3, 1, 1), await hop(2, 4, 2, 2)], [-5, 9])
    assert.equal(asks.length, 2, 'its hop is two of the first')
    await hop(1, 3, 1, 1)
    assert.equal(asks.length, 3)
    await hop(1, 3, 1, 1)
    assert.equal(await hop(1, 3, 1, 1), 3, 'an answer of two hops ago has grown old')
  })

  it('spends no more than its share of a core; what is over it is counted and judged by the first', async () => {
    const { hop, asks, clock, counters } = cascade(0.5)
    await hop(1, 3, 1, 1)
    // Two seconds of allowance at a half are 1000 ms.
    await asks[0]?.answer(8, 1500)
    await hop(2, 3, 1, 1)
    assert.deepEqual([asks.length, counters.secondStageOverBudget, counters.secondStageMs], [1, 1, 1500])
    clock.nowMs = 1001
    await hop(3, 3, 1, 1)
    assert.equal(asks.length, 2, 'half of a second later it has paid')
    for (let track = 10; track < 20; track += 1) await hop(track, 3, 1, 1)
    assert.equal(asks.length, 1 + windowsWaitingMax)
  })

  it('is not asked while the first is warmed up', async () => {
    const { stage, asks, counters } = cascade()
    stage.inputs.features.fill(9)
    await stage.warm(4)
    assert.deepEqual([asks.length, counters.secondStageOverBudget], [0, 0])
  })

  it('is waited for when recordings are scored', async () => {
    const { hop, asks } = cascade(null)
    const answered = hop(1, 3, 1, 1)
    await new Promise((done) => setImmediate(done))
    await asks[0]?.answer(-4)
    assert.equal(await answered, -4)
  })

  it('is refused where the first cannot feed it', async (t) => {
    const dir = scratchDirectory(t)
    const onnx = tinyOnnx()
    const model = { onnx, manifest: tinyManifest(onnx) }
    const refused = async (second: ReturnType<typeof powerModel>, message: RegExp): Promise<void> => {
      writeOwnModel(dir, second)
      const wanted = { model: `voice/${second.manifest.version}`, scoreMin: 0.5, cpuShareMax: 0.5 }
      const secondStage = await loadSecondStage({ secondStage: wanted }, dir)
      const counters = zeroCounters()
      const opened = openDetector({ model, secondStage, batchMax: 2, counters, waits: true })
      await assert.rejects(opened, { code: 'model_invalid', message })
    }
    await refused(powerModel({ hop: { ms: 700 } }), /no multiple of 500/)
    const { input } = levelModel().manifest
    assert.ok(input.kind === 'features')
    await refused(
      levelModel({ input: { ...input, definition: { ...input.definition, floor: 1e-5 } } }),
      /takes other features/,
    )
    assert.equal(await loadSecondStage({ secondStage: null }, dir), null)
  })

  it('judges in a thread of its own what a model of ours found suspicious', async (t) => {
    const dir = scratchDirectory(t)
    writeOwnModel(dir, powerModel({ calibration: { scale: 1, offset: 3 } }))
    const onnx = tinyOnnx()
    const model = { onnx, manifest: tinyManifest(onnx) }
    const wanted = { secondStage: { model: 'voice/power', scoreMin: 0.01, cpuShareMax: 0.5 } }
    const secondStage = await loadSecondStage(wanted, dir)
    const counters = zeroCounters()
    const { detector, spec } = await openDetector({ model, secondStage, batchMax: 2, counters, waits: true })
    t.after(() => detector.release())
    const got = await llrs(line, detector, model, spec)
    const alone = await loadDetector(model, { batchMax: 2 })
    const first = await llrs(line, alone, model)
    const suspicious = first.map((llr) => llr >= Math.log(0.01 / 0.99))
    assert.ok(
      suspicious.some((each) => each),
      'the tiny model finds something',
    )
    const heard = (hops: number): Float32Array => samples.subarray(Math.max(0, hops - 4) * 4000, hops * 4000)
    const second = (hops: number): number => {
      const window = Float32Array.from({ length: 16_000 }, (_, i) => heard(hops)[i % heard(hops).length]!)
      return 3 + 2 * powerGain * meanSquare(window)
    }
    near(
      got,
      first.map((llr, i) => (suspicious[i] ? second(i + 1) : llr)),
    )
    assert.equal(counters.secondStageJudged, suspicious.filter(Boolean).length)
    await alone.release()
  })
})
