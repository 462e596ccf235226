/**
 * Writes small ONNX files by hand, so that tests and benchmarks need neither Python nor a trained model. Covers
 * what a feed-forward graph of float tensors needs: nodes with int, float and int-list attributes, float
 * initializers, named inputs and outputs whose first dimension is the batch.
 *
 * Wire format (protobuf): each field is a varint key `(field << 3) | type`, then a varint (type 0), 4 bytes little-
 * endian (type 5), or a varint length and so many bytes (type 2). Field numbers are those of onnx.proto3, e.g.
 * `ModelProto { ir_version = 1; graph = 7; opset_import = 8 }`.
 */

const floatElement = 1

function varint(value: number): number[] {
  const out: number[] = []
  let rest = value
  while (rest > 127) {
    out.push((rest % 128) + 128)
    rest = Math.floor(rest / 128)
  }
  out.push(rest)
  return out
}

function integer(field: number, value: number): Buffer {
  return Buffer.from([...varint(field * 8), ...varint(value)])
}

/** Negative int64 as ten bytes of two's complement. */
function signed(field: number, value: number): Buffer {
  if (value >= 0) return integer(field, value)
  let rest = BigInt.asUintN(64, BigInt(value))
  const out = varint(field * 8)
  for (let i = 0; i < 9; i += 1) {
    out.push(Number(rest & 127n) + 128)
    rest >>= 7n
  }
  out.push(Number(rest))
  return Buffer.from(out)
}

function bytes(field: number, value: Uint8Array | string): Buffer {
  const body = typeof value === 'string' ? Buffer.from(value, 'utf8') : value
  return Buffer.concat([Buffer.from([...varint(field * 8 + 2), ...varint(body.length)]), body])
}

function float(field: number, value: number): Buffer {
  const out = Buffer.alloc(4)
  out.writeFloatLE(value)
  return Buffer.concat([Buffer.from(varint(field * 8 + 5)), out])
}

export type Attribute = { readonly int: number } | { readonly ints: readonly number[] } | { readonly float: number }

function attribute(name: string, value: Attribute): Buffer {
  const parts = [bytes(1, name)]
  if ('int' in value) parts.push(signed(3, value.int), integer(20, 2))
  else if ('ints' in value) parts.push(...value.ints.map((each) => signed(8, each)), integer(20, 7))
  else parts.push(float(2, value.float), integer(20, 1))
  return Buffer.concat(parts)
}

/** One operator: `output` is the name of its only result. */
export interface GraphNode {
  readonly operator: string
  readonly inputs: readonly string[]
  readonly output: string
  readonly attributes?: Readonly<Record<string, Attribute>>
}

/** A named tensor: `dims` without the batch for inputs and outputs, whole for constants. */
export interface GraphConstant {
  readonly name: string
  readonly dims: readonly number[]
  readonly values: Float32Array
}

export interface Graph {
  readonly inputs: Readonly<Record<string, readonly number[]>>
  readonly outputs: Readonly<Record<string, readonly number[]>>
  readonly constants: readonly GraphConstant[]
  readonly nodes: readonly GraphNode[]
}

function valueInfo(name: string, rowDims: readonly number[]): Buffer {
  const dims = [bytes(1, bytes(2, 'batch')), ...rowDims.map((dim) => bytes(1, integer(1, dim)))]
  const tensor = Buffer.concat([integer(1, floatElement), bytes(2, Buffer.concat(dims))])
  return Buffer.concat([bytes(1, name), bytes(2, bytes(1, tensor))])
}

function constant({ name, dims, values }: GraphConstant): Buffer {
  const raw = Buffer.from(values.buffer, values.byteOffset, values.byteLength)
  return Buffer.concat([...dims.map((dim) => integer(1, dim)), integer(2, floatElement), bytes(8, name), bytes(9, raw)])
}

function node({ operator, inputs, output, attributes = {} }: GraphNode): Buffer {
  const parts = [...inputs.map((name) => bytes(1, name)), bytes(2, output), bytes(4, operator)]
  for (const [name, value] of Object.entries(attributes)) parts.push(bytes(5, attribute(name, value)))
  return Buffer.concat(parts)
}

/** The file's bytes: IR version 7, operator set 12 (axes still are attributes there). */
export function writeOnnx(graph: Graph): Uint8Array {
  const body = Buffer.concat([
    ...graph.nodes.map((each) => bytes(1, node(each))),
    bytes(2, 'graph'),
    ...graph.constants.map((each) => bytes(5, constant(each))),
    ...Object.entries(graph.inputs).map(([name, dims]) => bytes(11, valueInfo(name, dims))),
    ...Object.entries(graph.outputs).map(([name, dims]) => bytes(12, valueInfo(name, dims))),
  ])
  return new Uint8Array(Buffer.concat([integer(1, 7), bytes(7, body), bytes(8, integer(2, 12))]))
}
