/**
 * CDRs per second of CPU time: taking bytes apart alone, and with mapping to canonical records. The calls vary as
 * real ones do: called numbers repeat, calling numbers rotate within ranges. Baselines are the plain library call on
 * the same bytes.
 */
import { readFileSync } from 'node:fs'
import { decodeMulti, encode } from '@msgpack/msgpack'
import { projectRoot } from '../src/core/project.ts'
import { loadSource } from '../src/ingest/cdr-sources.ts'
import { type CdrFormat, createRecordDecoder, decodeBody } from '../src/wire/cdr-decode.ts'
import type { RawSink } from '../src/wire/cdr-raw.ts'
import { CdrSource } from '../src/wire/cdr-source.ts'
import type { BenchmarkRow } from './row.ts'

/** Records of one pass, and passes of which the fastest counts: other work on the machine only slows a pass. */
const records = 4000
const passes = 8

const baseUs = 1_772_359_200_000_000

export async function run(): Promise<BenchmarkRow[]> {
  const calls = Array.from({ length: records }, (_, index) => canonicalCall(index))
  const json = Buffer.from(JSON.stringify(calls))
  const ndjson = Buffer.from(calls.map((call) => JSON.stringify(call)).join('\n'))
  const msgpack = Buffer.concat(calls.map((call) => encode(call)))
  const csv = Buffer.from(`${csvHeader}\n${calls.map((_, index) => csvLine(index)).join('\n')}`)
  const freeswitch = Buffer.from(calls.map((_, index) => freeswitchCall(index)).join('\n'))
  const form = Buffer.from(calls.map((_, index) => `cdr=${encodeURIComponent(freeswitchCall(index))}`).join('\n'))
  const esl = Buffer.from(calls.map((_, index) => eslCall(index)).join(''))
  const parse = () => void JSON.parse(json.toString())
  const unpack = () => {
    for (const _ of decodeMulti(msgpack));
  }
  return [
    ...pair('json, canonical', 'json', json, 'canonical', { name: 'JSON.parse', value: rate(parse) }),
    ...pair('ndjson, canonical', 'ndjson', ndjson, 'canonical'),
    ...pair('msgpack, canonical', 'msgpack', msgpack, 'canonical', { name: 'decodeMulti', value: rate(unpack) }),
    ...pair('csv, generic-csv', 'csv', csv, 'generic-csv'),
    ...pair('ndjson, freeswitch (2.5 kB)', 'ndjson', freeswitch, 'freeswitch'),
    ...pair('form cdr=, freeswitch', 'form', form, 'freeswitch'),
    ...pair('event text, freeswitch', 'event-text', esl, 'freeswitch'),
  ]
}

function pair(
  name: string,
  format: CdrFormat,
  bytes: Uint8Array,
  sourceName: string,
  baseline?: { name: string; value: number },
): BenchmarkRow[] {
  const { mapping } = loadSource(sourceName)
  let mapped = 0
  const source = new CdrSource(sourceName, mapping, {
    cdr: () => void mapped++,
    rejected: ({ detail }) => {
      throw new Error(detail)
    },
    skipped: () => undefined,
  })
  const decode = (sink: RawSink) => {
    if (format === 'json') {
      for (const raw of decodeBody(bytes, format, source.decodeOptions, 1 << 30).records) sink.record(raw)
      return
    }
    const decoder = createRecordDecoder(format, source.decodeOptions)
    decoder.push(bytes, sink)
    decoder.end(sink)
  }
  const nothing: RawSink = { record: () => undefined, undecodable: () => undefined }
  const alone = rate(() => decode(nothing))
  const whole = rate(() => {
    decode(source)
    source.end()
  })
  if (mapped === 0) throw new Error(`${name}: nothing mapped`)
  return [
    {
      name: `${name}: decode`,
      value: alone,
      unit: 'records/s of CPU',
      ...(baseline === undefined ? {} : { baseline }),
    },
    { name: `${name}: decode + map`, value: whole, unit: 'records/s of CPU' },
  ]
}

/** Records per second of CPU, of the pass that took least. CPU time, because others may use the machine too. */
function rate(pass: () => void): number {
  let bestUs = Number.POSITIVE_INFINITY
  for (let turn = 0; turn < passes; turn++) {
    const before = process.cpuUsage()
    pass()
    const { user, system } = process.cpuUsage(before)
    bestUs = Math.min(bestUs, user + system)
  }
  return Math.round((records / bestUs) * 1_000_000)
}

function numbersOf(index: number): { from: string; to: string } {
  const from = `1202555${String((index * 7919) % 10_000).padStart(4, '0')}`
  return { from, to: `44207946${String(index % 1000).padStart(4, '0')}` }
}

function canonicalCall(index: number): object {
  const startUs = baseUs + index * 25_000
  const { from, to } = numbersOf(index)
  return {
    id: `c-${index}`,
    callId: `c-${index}`,
    startUs,
    ringUs: startUs + 1_250_000,
    answerUs: index % 3 === 0 ? startUs + 7_500_000 : null,
    endUs: startUs + 49_600_000,
    from,
    to,
    ingress: 'carrier-a',
    egress: 'carrier-b',
    causeQ850: 16,
    releasedBy: 'caller',
  }
}

const csvHeader = 'call_id,start_time,caller,called_number,duration,billsec,hangup_cause,in_trunk,out_trunk'

function csvLine(index: number): string {
  const { from, to } = numbersOf(index)
  const start = new Date(baseUs / 1000 + index * 25).toISOString().replace('T', ' ').slice(0, 23)
  return `c-${index},${start},${from},${to},49,${index % 3 === 0 ? 42 : 0},NORMAL_CLEARING,carrier-a,carrier-b`
}

const freeswitchTemplate = readFileSync(`${projectRoot}fixtures/cdr/freeswitch.ndjson`, 'utf8').split('\n', 1)[0] ?? ''
const eslTemplate =
  readFileSync(`${projectRoot}fixtures/cdr/freeswitch-esl.txt`, 'utf8')
    .split('\n\n')
    .find((block) => block.includes('HANGUP_COMPLETE')) ?? ''

function freeswitchCall(index: number): string {
  return varied(freeswitchTemplate, index)
}

function eslCall(index: number): string {
  return `${varied(eslTemplate, index)}\n\n`
}

function varied(template: string, index: number): string {
  return template
    .replaceAll('7f0c0000-0000-4000-8000-000000000001', `7f0c0000-0000-4000-8000-${String(index).padStart(12, '0')}`)
    .replaceAll('12025550123', numbersOf(index).from)
    .replaceAll('442079460123', numbersOf(index).to)
}
