/** Versions of models: who judges, what is tried beside it, what drifts, and the file that says so. Main thread. */
import type { Config } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import type { Log } from '../core/log.ts'
import { type Metrics, zeroCounters } from '../core/metrics.ts'
import type { LiveCalls } from '../decisions/live-calls.ts'
import { type VerdictSettings, verdictSettings } from '../decisions/voice-verdict.ts'
import { loadVoiceModelSlowly, vouchFor } from '../inference/model-check.ts'
import { activeModelDir, type VoiceModel } from '../inference/model-file.ts'
import { ModelRegistry, modelsDirectory } from '../inference/model-registry.ts'
import type { EventBus } from '../notify/event-bus.ts'
import type { RowWriter } from '../storage/row-writer.ts'
import { rowOf } from '../storage/tables.ts'
import { DriftMemories } from '../watch/drift-memories.ts'
import { FlashCallSeat } from '../watch/flash-call-seat.ts'
import { ModelWatch } from '../watch/model-watch.ts'
import { VoiceSeat } from '../watch/voice-seat.ts'
import type { FraudFeed } from '../worker/fraud-feed.ts'
import type { FlashCallFolders } from '../worker/fraud-protocol.ts'
import { VoicePool } from '../worker/pool.ts'
import type { ScoringModel } from '../worker/score-thread.ts'
import { loadSecondStage, type SecondStageStart, stagesLabel } from '../worker/staged-detector.ts'
import { VoiceGenerations } from '../worker/voice-generations.ts'
import { registerModelGauges } from './model-gauges.ts'

export interface Models {
  readonly generations: VoiceGenerations
  readonly voice: VoiceSeat
  readonly flashCall: FlashCallSeat
  /** What the fraud worker starts with. */
  readonly folders: FlashCallFolders
  readonly watch: ModelWatch
  /** What a verdict on this track is held to; of none: on a new one. */
  settingsOf(trackId?: number): VerdictSettings
  /** What new calls are judged by, for recordings. */
  judgement(): ScoringModel
  begin(feed: FraudFeed): void
  close(): Promise<void>
}

export interface ModelRooms {
  readonly config: Config
  readonly log: Log
  readonly clock: Clock
  readonly metrics: Metrics
  readonly live: LiveCalls
  readonly bus: EventBus
  readonly writer: Pick<RowWriter, 'write'>
  readonly faults: boolean
}

/** @throws OperatingError `model_invalid`, `worker_lost`, `config_invalid` */
export async function openModels(rooms: ModelRooms): Promise<Models> {
  const { config, log, clock, metrics, bus } = rooms
  const registry = new ModelRegistry(modelsDirectory(config.models.directory), clock)
  const flashDir = await activeFlashCall(registry)
  const stages = stagesBy(await loadSecondStage(config.detection.voice, registry.directory))
  const generations = await startGenerations(rooms, registry, stages)
  const drifts = new DriftMemories({ path: `${config.dataDir}/model-drift.json`, config: config.models.drift, log })
  const settings = settingsBy(config, stages)
  const voice = openVoiceSeat(rooms, { generations, drifts, settings })
  let feed: FraudFeed | null = null
  const flashCall = openFlashCallSeat(rooms, { dir: flashDir, drifts, feed: () => feed as FraudFeed })
  const watch = new ModelWatch({
    ...{ registry, clock, log, counters: metrics.counters, watchMs: config.models.watchMs },
    seats: { voice, flash_call: flashCall },
    swapped: (swap) =>
      void bus.publish('model', { change: 'swapped', text: `${swap.to} judges, ${swap.from} did`, ...swap }),
  })
  registerModelGauges(metrics, watch)
  return {
    ...{ generations, voice, flashCall, watch },
    folders: { active: flashDir, candidate: null, cpuShareMax: config.models.shadow.cpuShareMax },
    settingsOf: (trackId) => settings(trackId === undefined ? generations.current : generations.modelOf(trackId)),
    judgement: () => stages(generations.current),
    begin(it) {
      feed = it
      drifts.start()
      watch.start()
    },
    async close() {
      await watch.stop()
      await voice.stop()
      await drifts.close()
    },
  }
}

/** Folder of the active model of flash calls, vouched for; null: the rule judges them. */
async function activeFlashCall(registry: ModelRegistry): Promise<string | null> {
  if (registry.read()['flash_call'] === undefined) return null
  const dir = activeModelDir('flash_call', registry.directory)
  await vouchFor(dir)
  return dir
}

type Stages = (model: VoiceModel) => ScoringModel

/** A model with the second stage beside it, which was read at the start: a swap of the first reads nothing of it. */
function stagesBy(secondStage: SecondStageStart | null): Stages {
  const known = new WeakMap<VoiceModel, ScoringModel>()
  return (model) => {
    const made = known.get(model) ?? { model, secondStage }
    known.set(model, made)
    return made
  }
}

async function startGenerations(rooms: ModelRooms, registry: ModelRegistry, stages: Stages): Promise<VoiceGenerations> {
  const { config, log, clock, metrics, faults } = rooms
  const { counters } = metrics
  const voice = config.detection.voice
  const startPool = async (model: VoiceModel) =>
    VoicePool.start({ ...stages(model), config: voice, counters, clock, log, faults })
  const labelOf = (model: VoiceModel): string => stagesLabel(model.manifest, stages(model).secondStage)
  const first = await loadVoiceModelSlowly(activeModelDir('voice', registry.directory))
  return VoiceGenerations.start({ callsMax: voice.callsMax, startPool, labelOf }, first)
}

/** Thresholds of the configuration go before a manifest's; worked out once a model. */
function settingsBy({ detection }: Config, stages: Stages): (model: VoiceModel) => VerdictSettings {
  const known = new WeakMap<VoiceModel, VerdictSettings>()
  return (model) => {
    const label = (): string => stagesLabel(model.manifest, stages(model).secondStage)
    const made = known.get(model) ?? verdictSettings(detection.voice, model.manifest, label())
    known.set(model, made)
    return made
  }
}

interface VoiceParts {
  readonly generations: VoiceGenerations
  readonly drifts: DriftMemories
  readonly settings: (model: VoiceModel) => VerdictSettings
}

function openVoiceSeat({ config, log, clock, metrics, live, writer }: ModelRooms, parts: VoiceParts): VoiceSeat {
  const { callsMax } = config.models.shadow
  return new VoiceSeat({
    ...{ config: config.models, clock, generations: parts.generations, drifts: parts.drifts },
    async startShadowPool(model) {
      const counters = zeroCounters()
      const quiet = { ...config.detection.voice, workers: 1, callsMax }
      const pool = await VoicePool.start({ config: quiet, model, counters, clock, log, spare: false })
      return { pool, counters }
    },
    thresholdsOf(model) {
      const { synthetic, human } = parts.settings(model)
      return { upper: synthetic, lower: human }
    },
    aboutOf(trackId) {
      const facts = live.track(trackId)?.facts
      return facts === undefined ? null : { callSid: facts.call.callSid, track: facts.track }
    },
    compared({ active, candidate }, { hopStartMs, hopEndMs, activeScore, candidateScore }, { callSid, track }) {
      metrics.counters.shadowScores += 1
      const what = { name: 'voice', active, candidate, call_sid: callSid, track, subject: '' }
      const hop = { hop_start_ms: Math.round(hopStartMs), hop_end_ms: Math.round(hopEndMs) }
      const scores = { active_score: activeScore, candidate_score: candidateScore, scored_at: clock.wallMs() }
      writer.write('shadow_scores', rowOf('shadow_scores', { ...what, ...hop, ...scores }))
    },
  })
}

interface FlashCallParts {
  readonly dir: string | null
  readonly drifts: DriftMemories
  readonly feed: () => FraudFeed
}

function openFlashCallSeat({ config, clock, metrics, writer }: ModelRooms, parts: FlashCallParts): FlashCallSeat {
  return new FlashCallSeat({
    ...{ config: config.models, clock, ...parts },
    scoreMin: config.cdr.rules.flashCall.scoreMin,
    compared(models, pairs) {
      metrics.counters.shadowScores += pairs.length
      const none = { call_sid: '', track: '', hop_start_ms: 0, hop_end_ms: 0, scored_at: clock.wallMs() }
      for (const { activeScore, candidateScore, subject } of pairs) {
        const scores = { active_score: activeScore, candidate_score: candidateScore }
        writer.write(
          'shadow_scores',
          rowOf('shadow_scores', { name: 'flash_call', ...models, subject, ...scores, ...none }),
        )
      }
    },
  })
}
