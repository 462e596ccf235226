import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { ConfigProblems } from '../../src/config/load.ts'
import { OperatingError } from '../../src/core/errors.ts'
import { projectRoot } from '../../src/core/project.ts'
import { listSources, loadSource } from '../../src/ingest/cdr-sources.ts'
import { createRecordDecoder, sniffFormat } from '../../src/wire/cdr-decode.ts'
import type { CdrRecord } from '../../src/wire/cdr-record.ts'
import { CdrSource } from '../../src/wire/cdr-source.ts'
import { lastingDirectory } from '../fakes/scratch.ts'

interface Mapped {
  readonly records: CdrRecord[]
  readonly rejected: { line: number; code: string; detail: string }[]
  readonly skipped: string[]
  readonly joinedRows: number
}

function mapBytes(sourceName: string, bytes: Uint8Array): Mapped {
  const { name, mapping } = loadSource(sourceName)
  const records: CdrRecord[] = []
  const rejected: { line: number; code: string; detail: string }[] = []
  const skipped: string[] = []
  const source = new CdrSource(name, mapping, {
    cdr: (record) => void records.push(record),
    rejected: ({ line, code, detail }) => void rejected.push({ line, code, detail }),
    skipped: (reason) => void skipped.push(reason),
  })
  const decoder = createRecordDecoder(sniffFormat(bytes, mapping.input.formats), source.decodeOptions)
  decoder.push(bytes, source)
  decoder.end(source)
  source.end()
  return { records, rejected, skipped, joinedRows: source.joinedRows }
}

function mapFixture(file: string, source: string): Mapped {
  return mapBytes(source, readFileSync(`${projectRoot}fixtures/cdr/${file}`))
}

/** 2026-03-01T10:00:00Z; the fixtures' calls are told in seconds after it, to the microsecond. */
const baseUs = 1_772_359_200_000_000

/** `start ring answer end`, `-` for none; from; Q.850/SIP; who released; isAttempt; flags. */
type Expected = readonly [times: string, from: string, cause: string, released: string, attempt: boolean, flags: string]

function told(record: CdrRecord): Expected {
  const times = [record.startUs, record.ringUs, record.answerUs, record.endUs]
  const seconds = times.map((us) => (us === undefined || us === null ? '-' : String((us - baseUs) / 1_000_000)))
  const cause = `${record.causeQ850 ?? '-'}/${record.causeSip ?? '-'}`
  const flags = (record.flags ?? []).join(' ')
  return [seconds.join(' '), record.from ?? '-', cause, record.releasedBy, record.isAttempt, flags]
}

const [a, b, c, d, e, f, g] = ['123', '124', '125', '126', '127', '128', '129'].map((tail) => `12025550${tail}`) as [
  string,
  string,
  string,
  string,
  string,
  string,
  string,
]

const freeswitch: readonly Expected[] = [
  ['0.002702 1.26 9.766321 30.366141', a, '16/200', 'caller', true, ''],
  ['60.0001 61.1002 - 62.4003', b, '16/487', 'caller', true, ''],
  ['70 70.5 - 70.900001', c, '17/486', 'callee', true, ''],
  ['80 81 - 110', '-', '19/480', 'network', true, 'from_withheld'],
  ['120 121 125 185.0005', d, '16/200', 'callee', true, ''],
  ['120.1 121 125 185.0004', d, '16/200', 'callee', false, 'forked_leg'],
]

const table: { file: string; source: string; records: readonly Expected[]; rejected: string[]; skipped?: string[] }[] =
  [
    {
      file: 'canonical.ndjson',
      source: 'canonical',
      records: [
        ['0 1.25 7.500125 49.60025', a, '16/200', 'caller', true, ''],
        ['60 61 - 62.4', b, '16/487', 'caller', true, ''],
        ['70 - - 70.9', c, '17/486', 'callee', true, ''],
        ['80 81 - 110', d, '19/-', 'network', true, ''],
      ],
      rejected: ['5 field_invalid startUs'],
    },
    {
      file: 'freeswitch.ndjson',
      source: 'freeswitch',
      records: freeswitch,
      rejected: ['7 time_unreadable start', '8 json_malformed not'],
    },
    { file: 'freeswitch.json', source: 'freeswitch', records: freeswitch, rejected: [] },
    { file: 'freeswitch-form.txt', source: 'freeswitch', records: freeswitch, rejected: ['7 json_malformed not'] },
    { file: 'freeswitch-base64.txt', source: 'freeswitch', records: freeswitch, rejected: ['7 base64_malformed cdr'] },
    { file: 'freeswitch.xml', source: 'freeswitch', records: freeswitch, rejected: [] },
    {
      file: 'freeswitch-esl.txt',
      source: 'freeswitch',
      records: freeswitch,
      rejected: ['393 time_unreadable start'],
      skipped: ['socket_frame', 'other_event'],
    },
    {
      file: 'freeswitch-csv.csv',
      source: 'freeswitch-csv',
      records: [
        ['0 - 9 30', a, '16/-', 'unknown', true, ''],
        ['60 - - 62', b, '16/487', 'caller', true, ''],
        ['70 - - 71', c, '17/-', 'callee', true, ''],
        ['80 - - 110', '-', '19/-', 'network', true, 'from_withheld'],
        ['120 - 120 180', d, '16/-', 'unknown', true, 'duration_disagrees'],
      ],
      rejected: ['6 time_unreadable start'],
    },
    {
      file: 'asterisk-csv.csv',
      source: 'asterisk-csv',
      records: [
        ['0 - 7 49', a, '16/-', 'unknown', true, ''],
        ['60 - - 62', b, '19/-', 'unknown', true, ''],
        ['70 - - 71', c, '17/-', 'callee', true, ''],
        ['120 - - 130', d, '19/-', 'unknown', false, 'forked_leg'],
        ['120 - 130 190', d, '16/-', 'unknown', true, ''],
        ['240 - 241 271', e, '19/-', 'unknown', true, 'answer_disagrees'],
        ['300 - 305 305', f, '16/-', 'unknown', true, 'answered_zero'],
        ['360 - 365 375', g, '16/-', 'unknown', true, 'bad_utf8'],
      ],
      rejected: ['9 time_unreadable start'],
    },
    {
      file: 'asterisk-ami.txt',
      source: 'asterisk-ami',
      records: [
        ['0 - 7 49', a, '16/-', 'unknown', true, ''],
        ['60 - - 62', b, '19/-', 'unknown', true, ''],
        ['70 - - 71', c, '17/-', 'callee', true, ''],
        ['80 - - 110', '-', '19/-', 'unknown', true, 'from_withheld'],
      ],
      rejected: ['91 time_unreadable start'],
      skipped: ['other_event'],
    },
    {
      file: 'asterisk-cel.txt',
      source: 'asterisk-cel',
      records: [
        ['0.000125 1.25 7.513823 49.610375', a, '16/-', 'callee', true, ''],
        ['60.000125 61.25 - 62.610375', b, '16/-', 'caller', true, ''],
        ['70.000125 70.25 - 71.610375', c, '17/-', 'callee', true, ''],
        ['80.000125 81.25 - 110.610375', d, '19/-', 'network', true, ''],
        ['200 - - -', f, '-/-', 'unknown', true, 'stop_missing'],
      ],
      rejected: ['714 time_unreadable start'],
      skipped: Array.from({ length: 11 }, () => 'other_cel_event'),
    },
    {
      file: 'opensips-events.ndjson',
      source: 'opensips',
      records: [
        ['0 - 7 49.1', a, '16/200', 'unknown', true, ''],
        ['60 - - 62', b, '16/487', 'caller', true, ''],
        ['71 - - 71', c, '17/486', 'callee', true, 'start_from_end'],
        ['80 - - 110', d, '102/408', 'network', true, ''],
      ],
      rejected: ['5 field_missing to'],
    },
    {
      file: 'opensips-datagram.txt',
      source: 'opensips',
      records: [
        ['0 - 7 49.1', a, '16/200', 'unknown', true, ''],
        ['60 - - 62', b, '16/487', 'caller', true, ''],
      ],
      rejected: [],
    },
    {
      file: 'opensips-flatstore.log',
      source: 'opensips',
      records: [
        ['62 - - 62', b, '16/487', 'caller', true, 'start_from_end'],
        ['7 - 7 49', a, '16/200', 'callee', true, 'start_from_answer'],
        ['71 - - 71', c, '17/486', 'callee', true, 'start_from_end'],
        ['110 - - 110', d, '102/408', 'network', true, 'start_from_end'],
        ['200 - 200 220', e, '16/200', 'caller', true, 'start_from_answer'],
        ['300 - 300 -', f, '16/200', 'unknown', true, 'start_from_answer stop_missing'],
      ],
      rejected: ['10 time_unreadable end', '9 join_incomplete the'],
    },
    {
      file: 'kamailio-acc.ndjson',
      source: 'kamailio',
      records: [
        ['62.4 - - 62.4', b, '16/487', 'caller', true, 'start_from_end'],
        ['70.9 - - 70.9', c, '17/486', 'callee', true, 'start_from_end'],
        ['7.5 - 7.5 49.600125', a, '16/200', 'caller', true, 'start_from_answer'],
        ['110 - - 110', d, '102/408', 'network', true, 'start_from_end'],
      ],
      rejected: ['7 time_unreadable end'],
    },
    {
      file: 'kamailio-acc.log',
      source: 'kamailio',
      records: [
        ['62 - - 62', b, '16/487', 'caller', true, 'start_from_end'],
        ['7 - 7 49', a, '16/200', 'callee', true, 'start_from_answer'],
      ],
      rejected: [],
    },
    {
      file: 'kamailio-evapi.netstring',
      source: 'kamailio',
      records: [['7 - 7 49', a, '16/200', 'unknown', true, 'start_from_answer']],
      rejected: ['3 field_missing start'],
      skipped: ['other_event'],
    },
    {
      file: 'cucm.csv',
      source: 'cucm',
      records: [
        ['0 - 7 49', a, '16/-', 'caller', true, ''],
        ['60 - - 62', b, '16/-', 'caller', true, ''],
        ['70 - - 71', c, '17/-', 'callee', true, ''],
        ['80 - - 110', '2001', '19/-', 'network', true, 'from_short'],
        ['120 - 125 185', d, '16/-', 'callee', true, ''],
      ],
      rejected: ['8 time_out_of_range start'],
      skipped: ['types_row'],
    },
    {
      file: 'broadworks.xml',
      source: 'broadworks',
      records: [
        ['0.247 - 6.813 49.296', a, '16/-', 'callee', true, ''],
        ['60 - - 62.4', b, '16/-', 'caller', true, ''],
        ['70 - - 70.9', c, '17/-', 'callee', true, ''],
        ['80 - - 110', '442079460123', '19/-', 'network', true, ''],
      ],
      rejected: ['119 time_unreadable start'],
      skipped: ['interim_record'],
    },
    {
      file: 'twilio.txt',
      source: 'twilio',
      records: [
        ['0 1 7 49', a, '16/200', 'unknown', true, ''],
        ['60 61 - 62', b, '16/487', 'caller', true, ''],
        ['71 - - 71', c, '17/486', 'callee', true, 'start_from_end'],
        ['110 - - 110', '-', '19/480', 'network', true, 'from_withheld start_from_end'],
        ['120 - 120 180', d, '16/-', 'unknown', true, 'start_from_answer'],
      ],
      rejected: ['11 time_unreadable end', '12 join_incomplete the'],
    },
    {
      file: 'generic-csv.csv',
      source: 'generic-csv',
      records: [
        ['0 - 7 49', a, '16/-', 'caller', true, ''],
        ['60 - - 62', b, '16/487', 'caller', true, ''],
        ['70 - - 71', c, '17/-', 'callee', true, ''],
        ['80 - - 110', '-', '19/-', 'network', true, 'from_withheld'],
        ['-6959.876544 - - -6929.876544', g, '1/-', 'network', true, ''],
      ],
      rejected: ['6 time_unreadable start', '7 field_missing to', '8 csv_quote_unclosed the'],
    },
  ]

describe('every shipped source maps answered, cancelled, busy and unanswered calls, and names what it refuses', () => {
  for (const { file, source, records, rejected, skipped = [] } of table) {
    it(`${file} by ${source}`, () => {
      const mapped = mapFixture(file, source)
      assert.deepEqual(mapped.records.map(told), records)
      const words = mapped.rejected.map(({ line, code, detail }) => `${line} ${code} ${/^[\w.]+/.exec(detail)?.[0]}`)
      assert.deepEqual(words, rejected)
      assert.deepEqual(mapped.skipped, skipped)
    })
  }

  it('no shipped source and no fixture is left out of the table', () => {
    assert.deepEqual([...new Set(table.map(({ source }) => source))].sort(), listSources())
    const files = readdirSync(`${projectRoot}fixtures/cdr`).filter((name) => name !== 'README.md')
    assert.deepEqual(table.map(({ file }) => file).sort(), files.sort())
  })
})

it('a FreeSWITCH call is the same record as JSON, form, base64, XML and event', () => {
  const json = mapFixture('freeswitch.json', 'freeswitch').records
  for (const file of [
    'freeswitch.ndjson',
    'freeswitch-form.txt',
    'freeswitch-base64.txt',
    'freeswitch.xml',
    'freeswitch-esl.txt',
  ]) {
    assert.deepEqual(mapFixture(file, 'freeswitch').records, json, file)
  }
  assert.deepEqual(
    json.map(({ leg }) => leg),
    ['a', 'a', 'a', 'a', 'a', 'b'],
  )
  assert.equal(json[5]?.callId, json[4]?.callId)
  assert.equal(json[0]?.attributes['callerName'], 'Zoë "Fixture" Müller')
})

it('the branches of a forked Asterisk call count as one attempt, the one that answered', () => {
  const legs = mapFixture('asterisk-csv.csv', 'asterisk-csv').records.filter(({ callId }) => callId.includes('320.7'))
  assert.deepEqual(
    legs.map(({ leg, isAttempt, answerUs }) => [leg, isAttempt, answerUs !== null]),
    [
      ['14', false, false],
      ['15', true, true],
    ],
  )
  assert.notEqual(legs[0]?.id, legs[1]?.id)
})

it('ids do not depend on what else is in the file', () => {
  const all = mapFixture('freeswitch.ndjson', 'freeswitch').records.map(({ id }) => id)
  const lines = readFileSync(`${projectRoot}fixtures/cdr/freeswitch.ndjson`, 'utf8').split('\n').slice(0, 6)
  const alone = lines.flatMap((line) => mapBytes('freeswitch', Buffer.from(`${line}\n`)).records.map(({ id }) => id))
  assert.deepEqual(alone, all)
})

describe("a user's own mapping", () => {
  const directory = lastingDirectory()
  const write = (name: string, text: string) => {
    writeFileSync(`${directory}/${name}`, text)
    return `${directory}/${name}`
  }

  it('extends a shipped one and changes only what it names', () => {
    const path = write(
      'my-pbx.yaml',
      'extends: asterisk-csv\ntimeZone: Europe/Berlin\nnumbers: {country: DE, bare: national}\n',
    )
    const { name, mapping } = loadSource(path)
    assert.equal(name, 'my-pbx')
    assert.equal(mapping.timeZone, 'Europe/Berlin')
    assert.equal(mapping.numbers.country, 'DE')
    assert.deepEqual(mapping.fields, loadSource('asterisk-csv').mapping.fields)
  })

  it('is found by name in its directory, before a shipped one of the same name', () => {
    write('cucm.yaml', 'extends: cucm\ndescription: ours\n')
    assert.equal(loadSource('cucm', [directory]).mapping.description, 'ours')
    assert.ok(listSources([directory]).includes('my-pbx'))
  })

  it('with mistakes is refused with every one of them and its path', () => {
    const path = write('bad.yaml', 'timeZone: Mars/Olympus\ninput: {formats: [carrier-pigeon]}\nfields: {form: x}\n')
    assert.throws(
      () => loadSource(path),
      (thrown) =>
        thrown instanceof ConfigProblems &&
        ['timeZone', 'input.formats', 'form'].every((word) =>
          thrown.problems.some((problem) => problem.includes(word)),
        ),
    )
  })

  it('that does not exist is not_found and says which there are', () => {
    assert.throws(
      () => loadSource('sonus'),
      (thrown) =>
        thrown instanceof OperatingError && thrown.code === 'not_found' && thrown.message.includes('kamailio'),
    )
    assert.throws(() => loadSource('../../etc/passwd'), OperatingError)
  })
})
