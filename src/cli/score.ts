/**
 * `score PATH...`: judges recordings as live calls are judged. Folders are searched for audio files; a file that
 * cannot be read is reported and its neighbours go on. With --json one object per file and channel and line:
 *
 *   {"file":"a.wav","channel":0,"label":"likely_human","score":0.03,"confidence":0.9,"netSpeechMs":5400,"audioMs":9000,
 *    "windows":[{"startMs":0,"endMs":500,"score":0.2,"flags":[]}, ...],"reasons":[...],"model":"voice/1"}
 */
import { readdirSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import { activeModelDir, loadVoiceModel } from '../inference/model-file.ts'
import { modelsDirectory } from '../inference/model-registry.ts'
import { type Recording, type RecordingResult, RecordingScorer, scoredChannel } from '../worker/recording-scorer.ts'
import { loadSecondStage } from '../worker/staged-detector.ts'
import { type ExitCode, progressText, type Terminal, table } from './terminal.ts'

export interface ScoreContext {
  readonly config: Config
  readonly clock: Clock
  readonly terminal: Terminal
  /** Where models lie; as configured when undefined. */
  readonly modelsDir?: string
}

const audioName = /\.(wav|wave|ul|ulaw|mulaw|raw)$/i

export async function score(
  { config, clock, terminal, modelsDir = modelsDirectory(config.models.directory) }: ScoreContext,
  paths: readonly string[],
  options: { json: boolean },
): Promise<ExitCode> {
  const { files, failed } = filesOf(paths, terminal)
  const directory = modelsDir ?? config.models.directory ?? undefined
  const model = loadVoiceModel(activeModelDir('voice', directory))
  const { voice } = config.detection
  const secondStage = await loadSecondStage(voice, directory)
  const scorer = await RecordingScorer.create({ model, secondStage, voice })
  const results: RecordingResult[] = []
  let bad = failed
  let done = 0
  const startMs = clock.steadyMs()
  await scorer.score(files.map(recordingOf), (result) => {
    if ('error' in result) {
      bad++
      terminal.remark(`error: ${result.file}: ${result.error.code}: ${result.error.message}`)
    } else if (options.json) {
      for (const [channel, verdict] of result.verdicts.entries()) {
        terminal.print(JSON.stringify(scoredChannel(result.file, channel, verdict)))
      }
    }
    if (!options.json) results.push(result)
    terminal.progress(progressText(++done, files.length, clock.steadyMs() - startMs))
  })
  terminal.progress('')
  await scorer.release()
  if (!options.json) printTable(terminal, results)
  return bad > 0 || files.length === 0 ? 1 : 0
}

function recordingOf(file: string): Recording {
  return { file, read: () => readFile(file) }
}

/** Files as named, folders searched through; what does not exist is reported. */
function filesOf(paths: readonly string[], terminal: Terminal): { files: string[]; failed: number } {
  const files: string[] = []
  let failed = 0
  for (const path of paths) {
    try {
      if (!statSync(path).isDirectory()) {
        files.push(path)
        continue
      }
      const found = readdirSync(path, { recursive: true, encoding: 'utf8' }).filter((name) => audioName.test(name))
      if (found.length === 0) terminal.remark(`${path}: no audio files in it`)
      files.push(...found.sort().map((name) => join(path, name)))
    } catch (thrown) {
      failed++
      terminal.remark(`error: ${path}: ${messageOf(thrown)}`)
    }
  }
  return { files, failed }
}

function printTable(terminal: Terminal, results: readonly RecordingResult[]): void {
  const rows = results.flatMap((result) =>
    'error' in result
      ? []
      : result.verdicts.map((verdict, channel) => [
          result.file,
          String(channel),
          verdict.label,
          verdict.score === null ? '-' : verdict.score.toFixed(3),
          verdict.confidence.toFixed(2),
          `${(verdict.netSpeechMs / 1000).toFixed(1)} s`,
          `${(verdict.audioMs / 1000).toFixed(1)} s`,
          verdict.reasons.map((reason) => reason.text).join('; '),
        ]),
  )
  if (rows.length === 0) return
  const head = ['file', 'channel', 'label', 'score', 'confidence', 'speech', 'audio', 'reasons']
  for (const line of table(head, rows)) terminal.print(line)
}
