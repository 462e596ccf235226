import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { systemClock } from '../../src/core/clock.ts'
import { silentLog } from '../../src/core/log.ts'
import { createMetrics } from '../../src/core/metrics.ts'
import { LiveCalls } from '../../src/decisions/live-calls.ts'
import { openModels } from '../../src/house/models.ts'
import { EventBus } from '../../src/notify/event-bus.ts'
import { powerModel, writeOwnModel } from '../fakes/own-models.ts'
import { quickWasm } from '../fakes/quick-wasm.ts'
import { scratchDirectory } from '../fakes/scratch.ts'
import { writeTinyModel, writeVersion } from '../fakes/tiny-model.ts'
import { until } from '../fakes/until.ts'
import { voiceLike } from '../fakes/voice-like.ts'

quickWasm()

test('live calls are judged while the files of a swap are read, and the second stage is not read again', async (t) => {
  const dir = scratchDirectory(t)
  writeTinyModel(dir)
  writeVersion(dir, 'next')
  writeOwnModel(dir, powerModel())
  const given = loadConfig({ env: { VOICEFW__DATA_DIR: dir, VOICEFW__MODELS__DIRECTORY: dir } })
  const secondStage = { model: 'voice/power', scoreMin: 0.5, cpuShareMax: 0.5 }
  const voice = { ...given.detection.voice, secondStage, workers: 1 }
  const metrics = createMetrics({ processMetrics: false })
  const bus = new EventBus({ keepMax: 10, firstId: 1, counters: metrics.counters })
  const models = await openModels({
    ...{ config: { ...given, detection: { voice } }, log: silentLog, clock: systemClock },
    ...{ metrics, bus, live: new LiveCalls(), writer: { write: () => true }, faults: false },
  })
  t.after(async () => {
    await models.close()
    await models.generations.stop()
  })
  const events: string[] = []
  models.voice.onHop(({ trackId }, label) => events.push(`track ${trackId} by ${label}`))
  const talk = async (trackId: number, untilMs: number, hop: string): Promise<void> => {
    for (let atMs = untilMs - 600; atMs < untilMs; atMs += 20) {
      const payload = Buffer.from(voiceLike(atMs * 8, 160).toString('base64'))
      models.generations.frame(trackId, atMs, payload, 0, payload.length, performance.now())
    }
    await until(() => events.includes(hop))
  }

  // Neither is to be had at once: one not before somebody writes into the pipe, the other no more at all.
  const pipe = join(dir, 'voice', 'next', 'model.onnx')
  const onnx = readFileSync(pipe)
  rmSync(pipe)
  execFileSync('mkfifo', [pipe])
  rmSync(join(dir, 'voice', 'power', 'model.onnx'))

  assert.ok(models.generations.open(1))
  events.push('swap begins')
  const preparing = models.voice.prepare(join(dir, 'voice', 'next'))
  await talk(1, 600, 'track 1 by voice/tiny + voice/power')
  events.push('file comes')
  await writeFile(pipe, onnx)
  const prepared = await preparing
  events.push('swap is made')
  prepared.commit()
  assert.ok(models.generations.open(2))
  await talk(2, 600, 'track 2 by voice/next + voice/power')
  assert.deepEqual(events, [
    'swap begins',
    'track 1 by voice/tiny + voice/power',
    'file comes',
    'swap is made',
    'track 2 by voice/next + voice/power',
  ])
})
