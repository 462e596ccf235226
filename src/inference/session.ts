/**
 * The only importer of onnxruntime-web. A `BatchSession` is one ONNX graph whose inputs and outputs are float32
 * with the batch as first dimension; it owns a buffer of `batchMax` rows for each, allocated once, and runs the
 * first `count` rows. One thread, SIMD; the WebAssembly file is read from the installed package, never from a
 * network. Any thread, one session each: `run` computes on the calling thread.
 *
 *     inputs.features   | row 0 | row 1 | ... | row count-1 | (stale) ... row batchMax-1 |
 *                       '------ what run(count) sees ------'
 */
import assert from 'node:assert/strict'
import { env, InferenceSession, Tensor } from 'onnxruntime-web'
import { messageOf, OperatingError } from '../core/errors.ts'

env.wasm.numThreads = 1
env.wasm.simd = true
env.wasm.proxy = false
env.logLevel = 'error'

/** Name -> dimensions of one row, without the batch. */
export type RowShapes = Readonly<Record<string, readonly number[]>>

export interface BatchSessionOptions<I extends RowShapes, O extends RowShapes> {
  readonly onnx: Uint8Array
  readonly inputs: I
  readonly outputs: O
  readonly batchMax: number
  /** Outputs that the graph need not have. */
  readonly optional?: RowShapes
  /** The graph may have outputs beside these; they are not computed for us. */
  readonly mayHaveMore?: boolean
}

type Feeds = Record<string, Tensor>

export class BatchSession<I extends RowShapes, O extends RowShapes> {
  /** Rows that callers fill before `run`. */
  readonly inputs: Readonly<Record<keyof I, Float32Array>>
  /** Rows as the last `run` left them; valid until the next one. */
  readonly outputs: Readonly<Record<keyof O, Float32Array>>
  /** Of `optional`, what the graph has; else as `outputs`. */
  readonly optional: Readonly<Record<string, Float32Array | undefined>>
  readonly batchMax: number
  readonly #session: InferenceSession
  readonly #inputShapes: I
  readonly #outputNames: readonly string[]
  /** Tensors over the first n rows, made when a batch of n first occurs: at most batchMax entries. */
  readonly #feeds: (Feeds | undefined)[] = []
  #running = false

  private constructor(
    session: InferenceSession,
    { inputs, outputs, batchMax }: BatchSessionOptions<I, O>,
    optional: RowShapes,
  ) {
    this.#session = session
    this.#inputShapes = inputs
    this.#outputNames = [...Object.keys(outputs), ...Object.keys(optional)]
    this.batchMax = batchMax
    this.inputs = allocate(inputs, batchMax)
    this.outputs = allocate(outputs, batchMax)
    this.optional = allocate(optional, batchMax)
  }

  /**
   * Loads the graph, checks that it is the one the shapes describe, and runs it twice so that the first live batch
   * is not the slow one.
   * @throws OperatingError `model_invalid`
   */
  static async load<I extends RowShapes, O extends RowShapes>(
    options: BatchSessionOptions<I, O>,
  ): Promise<BatchSession<I, O>> {
    assert(options.batchMax >= 1)
    let session: InferenceSession
    try {
      session = await InferenceSession.create(options.onnx, {
        executionProviders: ['wasm'],
        graphOptimizationLevel: 'all',
      })
    } catch (thrown) {
      throw new OperatingError('model_invalid', `the ONNX file does not load: ${messageOf(thrown)}`, { cause: thrown })
    }
    checkNames('input', session.inputNames, options.inputs)
    const { outputs, mayHaveMore = false } = options
    const optional = Object.fromEntries(
      Object.entries(options.optional ?? {}).filter(([name]) => session.outputNames.includes(name)),
    )
    const known = { ...outputs, ...optional }
    const outputNames = session.outputNames.filter((name) => !mayHaveMore || name in known)
    checkNames('output', outputNames, known)
    const batch = new BatchSession(session, options, optional)
    try {
      await batch.run(1)
      await batch.run(options.batchMax)
    } catch (thrown) {
      if (thrown instanceof OperatingError) throw thrown
      throw new OperatingError('model_invalid', `the model does not run: ${messageOf(thrown)}`, { cause: thrown })
    }
    return batch
  }

  /** Computes outputs of rows 0..count-1. One run at a time. */
  async run(count: number): Promise<void> {
    assert(count >= 1 && count <= this.batchMax, `batch of ${count} rows, room for ${this.batchMax}`)
    assert(!this.#running, 'a run is under way')
    this.#running = true
    try {
      const results = await this.#session.run(this.#feedsOf(count), this.#outputNames)
      for (const name of this.#outputNames) {
        const target = this.outputs[name] ?? this.optional[name]
        take(name, results[name], target as Float32Array, count, this.batchMax)
      }
    } finally {
      this.#running = false
    }
  }

  async release(): Promise<void> {
    await this.#session.release()
  }

  #feedsOf(count: number): Feeds {
    const known = this.#feeds[count]
    if (known !== undefined) return known
    const feeds: Feeds = {}
    for (const [name, rowDims] of Object.entries(this.#inputShapes)) {
      const rows = (this.inputs[name] as Float32Array).subarray(0, count * elements(rowDims))
      feeds[name] = new Tensor('float32', rows, [count, ...rowDims])
    }
    this.#feeds[count] = feeds
    return feeds
  }
}

function elements(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1)
}

function allocate<S extends RowShapes>(shapes: S, batchMax: number): Readonly<Record<keyof S, Float32Array>> {
  const entries = Object.entries(shapes).map(([name, dims]) => [name, new Float32Array(batchMax * elements(dims))])
  return Object.fromEntries(entries) as Record<keyof S, Float32Array>
}

function checkNames(side: string, got: readonly string[], shapes: RowShapes): void {
  const wanted = Object.keys(shapes)
  if (wanted.length === got.length && wanted.every((name) => got.includes(name))) return
  throw new OperatingError('model_invalid', `the model's ${side}s must be ${wanted.join(', ')}; got ${got.join(', ')}`)
}

/** onnxruntime-web cannot write into memory of ours, so the few output floats are copied. */
function take(name: string, result: Tensor | undefined, target: Float32Array, count: number, batchMax: number): void {
  const length = (target.length / batchMax) * count
  const data = result?.data
  if (!(data instanceof Float32Array) || data.length !== length) {
    const got = data === undefined ? 'nothing' : `${result?.type} of dims ${result?.dims.join('x')}`
    throw new OperatingError('model_invalid', `output ${name} of ${count} rows must be ${length} floats, got ${got}`)
  }
  target.set(data)
}
