/** The detector of a model, by the kind its manifest says. Any thread. */
import type { HopSpec } from '../features/hop.ts'
import type { HopDetector } from './hop-detector.ts'
import type { VoiceManifest, VoiceModel } from './model-file.ts'
import { VoiceDetector } from './voice-detector.ts'
import { WindowDetector, windowHopSpec } from './window-detector.ts'
import { pipelineHopMsOf } from './window-manifest.ts'

/** @throws OperatingError `model_invalid` */
export function loadDetector({ manifest, onnx }: VoiceModel, options: { batchMax: number }): Promise<HopDetector> {
  if (manifest.kind === 'voice') return VoiceDetector.load({ manifest, onnx }, options)
  return WindowDetector.load({ manifest, onnx }, options)
}

/** The manifest's features in the words of the front end. */
export function hopSpecOf(manifest: VoiceManifest): HopSpec {
  if (manifest.kind !== 'voice') return windowHopSpec(manifest)
  return {
    features: { ...manifest.features, sampleRateHz: manifest.sampleRateHz },
    hopFrames: manifest.hop.frames,
    contextFrames: manifest.hop.contextFrames,
  }
}

/** The pipeline's hop for this model. */
export function hopMsOf(manifest: VoiceManifest): number {
  return manifest.kind === 'voice' ? manifest.hop.ms : pipelineHopMsOf(manifest)
}
