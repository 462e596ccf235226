/**
 * A foreign model's graph with its manifest: windows in, calibrated log-likelihood ratios out. What one or two columns
 * of logits or probabilities say, in either polarity, becomes one number, positive = synthetic. Any thread, one owner;
 * computes on the calling thread.
 */
import { BatchSession } from './session.ts'
import { WindowInput } from './window-input.ts'
import { pipelineHopMsOf, type WindowManifest } from './window-manifest.ts'

/** Probabilities are taken to be no surer than this. */
const probabilityMin = 1e-6

export interface WindowModel {
  readonly manifest: WindowManifest
  readonly onnx: Uint8Array
}

type Shapes = Readonly<Record<string, readonly number[]>>

/** What the columns of one row say, as a log-likelihood ratio before calibration. */
export function ratioOf({ form, columns }: WindowManifest['output'], values: Float32Array, at: number): number {
  const logOf = (value: number): number => (form === 'logit' ? value : Math.log(Math.max(probabilityMin, value)))
  const first = values[at]!
  if (columns.length === 2) {
    const ratio = logOf(first) - logOf(values[at + 1]!)
    return columns[0] === 'synthetic' ? ratio : -ratio
  }
  const ratio = form === 'logit' ? first : logOf(first) - logOf(1 - first)
  return columns[0] === 'synthetic' ? ratio : -ratio
}

export class WindowSession {
  readonly window: WindowInput
  readonly batchMax: number
  /** [batchMax, window.floats], filled by the caller. */
  readonly input: Float32Array
  readonly #manifest: WindowManifest
  readonly #session: BatchSession<Shapes, Shapes>
  readonly #output: Float32Array

  private constructor(manifest: WindowManifest, session: BatchSession<Shapes, Shapes>, window: WindowInput) {
    this.#manifest = manifest
    this.#session = session
    this.window = window
    this.batchMax = session.batchMax
    this.input = session.inputs[manifest.input.name]!
    this.#output = session.outputs[manifest.output.name]!
  }

  /** @param hopMs of the pipeline that the hops come from @throws OperatingError `model_invalid` */
  static async load(
    { manifest, onnx }: WindowModel,
    batchMax: number,
    hopMs = pipelineHopMsOf(manifest),
  ): Promise<WindowSession> {
    const window = new WindowInput(manifest, hopMs)
    const { input, output } = manifest
    const session = await BatchSession.load<Shapes, Shapes>({
      onnx,
      batchMax: Math.min(batchMax, manifest.batchMax),
      inputs: { [input.name]: window.dims },
      outputs: { [output.name]: [output.columns.length] },
      mayHaveMore: true,
    })
    return new WindowSession(manifest, session, window)
  }

  run(count: number): Promise<void> {
    return this.#session.run(count)
  }

  /** Of the last run; NaN when the model said nothing that is a number. */
  llr(row: number): number {
    const { output, calibration } = this.#manifest
    return calibration.scale * ratioOf(output, this.#output, row * output.columns.length) + calibration.offset
  }

  release(): Promise<void> {
    return this.#session.release()
  }
}
