import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import type { EmbeddedStore } from '../../src/storage/embedded-store.ts'
import { migrate } from '../../src/storage/migrations.ts'
import { SqlDoor } from '../../src/storage/sql-door.ts'
import type { StoreError } from '../../src/storage/store.ts'
import { lastingDirectory, scratchStore } from '../fakes/scratch.ts'

const limits = { rowsMax: 1000, answerBytesMax: 1_000_000, timeMs: 1000, memoryBytesMax: 200_000_000, queriesMax: 2 }
const out = join(lastingDirectory(), 'out')

/** One engine for all: it is the slow part. */
describe('the SQL door', () => {
  let door: SqlDoor
  let store: EmbeddedStore
  const cleaners: (() => Promise<void> | void)[] = []

  before(async () => {
    ;({ store } = await scratchStore({ after: (fn: () => Promise<void> | void) => void cleaners.push(fn) }))
    await migrate(store, Date.UTC(2026, 0, 1))
    await store.command(
      "INSERT INTO traffic_minutes SELECT toDateTime('2026-01-01 00:00:00', 'UTC') + number * 60, 'a', 'in', 'out', " +
        '10, 5, 1, 1, 1, 1000 FROM numbers(5)',
    )
    await store.command("INSERT INTO audit (at, actor, action) SELECT now64(3), 'ann', 'x'")
    door = new SqlDoor({ store, database: 'voicefw_test', limits })
  })

  const ask = async (text: string, parameters: Record<string, string> = {}): Promise<string> => {
    const { bytes } = await door.ask({ text, parameters, defaultFormat: 'TabSeparated' })
    return Buffer.from(bytes).toString('utf8')
  }
  const refusal = async (text: string, parameters: Record<string, string> = {}): Promise<number | null> => {
    try {
      const said = await ask(text, parameters)
      assert.fail(`was answered: ${text} -> ${said.slice(0, 100)}`)
    } catch (thrown) {
      if (thrown instanceof assert.AssertionError) throw thrown
      return (thrown as StoreError).engineCode
    }
  }

  it('answers about our tables, in the format asked for', async () => {
    assert.equal(await ask('SELECT sum(attempts) FROM traffic_minutes'), '50\n')
    assert.equal(
      await ask('SELECT sum(attempts) AS n FROM voicefw_test.traffic_minutes FORMAT JSONEachRow;'),
      '{"n":"50"}\n',
    )
    assert.equal(await ask('WITH t AS (SELECT attempts FROM traffic_minutes) SELECT count() FROM t'), '5\n')
    assert.equal(await ask('SELECT countIf(answered > {least:UInt8}) FROM traffic_minutes', { least: '4' }), '5\n')
    assert.equal(await ask("SELECT format('{}-{}', source, egress) FROM traffic_minutes LIMIT 1"), 'a-out\n')
    assert.match(await ask('DESCRIBE TABLE calls'), /^call_sid\tString/)
    assert.equal(await ask('SELECT number FROM numbers(2)'), '0\n1\n')
    assert.match(await ask('SELECT version(), timezone(), displayName(), revision()'), /UTC/)
  })

  it('changes nothing', async () => {
    const changes = [
      "INSERT INTO traffic_minutes SELECT now(), '', '', '', 1, 1, 1, 1, 1, 1",
      'DROP TABLE calls',
      'ALTER TABLE calls DELETE WHERE 1',
      'TRUNCATE TABLE audit',
      'CREATE TABLE x (a UInt8) ENGINE = Memory',
      'CREATE TEMPORARY TABLE x (a UInt8)',
      'SYSTEM FLUSH LOGS',
      'OPTIMIZE TABLE calls',
      'SET readonly = 0',
      'USE system',
      'KILL QUERY WHERE 1',
      'GRANT ALL ON *.* TO default',
      "BACKUP TABLE calls TO File('x.tar')",
      "SELECT 1 INTO OUTFILE '/tmp/x'",
      'SELECT 1 FROM calls PARALLEL WITH DROP TABLE calls',
      'EXPLAIN SELECT 1',
      'SHOW CREATE TABLE calls',
    ]
    for (const sql of changes) assert.ok([164, 497, 62].includes((await refusal(sql)) ?? 0), sql)
    assert.equal(await refusal('SELECT 1 SETTINGS readonly = 0'), 164)
    assert.equal(await refusal('SELECT 1 SETTINGS max_execution_time = 1000'), 164)
    const [row] = await store.query('SELECT count() AS n FROM traffic_minutes', {})
    assert.equal(row?.['n'], '5')
  })

  it('reads no file, no address, no other table', async () => {
    const strays = [
      "SELECT file('/etc/passwd')",
      "SELECT `file`('/etc/passwd')",
      "SELECT FILE('/etc/passwd')",
      "SELECT * FROM file('/etc/passwd', 'LineAsString')",
      "SELECT 1 WHERE 'x' IN file('/etc/passwd', 'LineAsString')",
      "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a String')",
      "SELECT * FROM s3('http://127.0.0.1:1/b/k', 'CSV', 'a String')",
      "SELECT * FROM remote('127.0.0.1', system.one)",
      "SELECT * FROM executable('ls', 'TSV', 'a String')",
      "SELECT * FROM merge('voicefw_test', '^audit')",
      'SELECT * FROM system.tables',
      'SELECT * FROM `system`.`functions`',
      'SELECT * FROM (SELECT 1) AS t, system.one',
      'SELECT * FROM INFORMATION_SCHEMA.TABLES',
      'SELECT * FROM audit',
      'SELECT * FROM voicefw_test.audit',
      'SELECT 1 IN audit',
      "SELECT 'a' IN voicefw_test.audit",
      'SELECT 1 IN (SELECT seq FROM audit)',
      'SELECT (SELECT count() FROM system.functions)',
      'SELECT count() FROM system.tables WHERE name IN system.columns',
      'SELECT data_paths FROM system.tables',
      'SELECT t.metadata_path FROM system.tables AS t',
      "SELECT COLUMNS('data') FROM system.tables",
      'SELECT t.* FROM system.tables AS t',
      "SELECT name FROM system.tables SETTINGS additional_table_filters = {'system.tables': '1'}",
      'WITH system.tables AS t SELECT * FROM t',
      'WITH system.one AS t SELECT * FROM t',
      'SELECT * FROM schema_migrations',
      'DESCRIBE TABLE system.one',
      "DESCRIBE TABLE file('/etc/passwd', 'LineAsString')",
      "SELECT * FROM viewExplain('EXPLAIN', '', (SELECT 1))",
      "SELECT dictGet('x', 'y', 1)",
      "SELECT joinGet('x', 'y', 1)",
      "SELECT getSetting('readonly')",
      'SELECT hostName()',
      'SELECT sleep(0.1)',
      "SELECT 1 UNION ALL SELECT file('/etc/passwd')",
      "SELECT arrayMap(x -> file(x), ['/etc/passwd'])",
      'SELECT a AS `b\nTableIdentifier calls` FROM system.one',
      'SELECT 1; SELECT * FROM system.one',
      "SELECT 1 -- ;\n; SELECT file('/etc/passwd')",
    ]
    for (const sql of strays)
      assert.ok([497, 62, 164, 36].includes((await refusal(sql)) ?? 0), `${sql}: ${await refusal(sql)}`)
    assert.equal(await refusal('SELECT * FROM {t:Identifier}', { t: 'system.one' }), 497)
    assert.equal(await refusal('SELECT * FROM {t:Identifier}', { t: 'audit' }), 497)
    assert.notEqual(await refusal(`SELECT 1 INTO/**/OUTFILE '${out}'`), null)
    assert.equal(existsSync(out), false)
  })

  it('shows tools which tables and columns there are: ours that are open, and no other', async () => {
    const calls = 'actions\ncalls\ncases\ncdr_scores\ncdrs\nshadow_scores\n'
    const all = `${calls}source_quality\nsource_quality_examples\ntraffic_minutes\nvoice_windows\n`
    assert.equal(await ask('SELECT name FROM system.tables ORDER BY name'), all)
    assert.equal(await ask('SHOW TABLES FROM voicefw_test'), all)
    assert.equal(await ask('show tables'), all)
    assert.equal(await ask("SELECT name FROM system.tables WHERE name = 'audit' OR database = 'system'"), '')
    assert.equal(await ask('SHOW TABLES FROM system'), '')
    assert.equal(await ask('SHOW DATABASES'), 'voicefw_test\n')
    assert.equal(await ask('SELECT name FROM system.databases'), 'voicefw_test\n')
    assert.equal(
      await ask("SELECT count() FROM system.columns WHERE table = 'audit' OR database != 'voicefw_test'"),
      '0\n',
    )
    const columns =
      "SELECT type FROM system.columns WHERE database = 'voicefw_test' AND table = 'calls' AND name = 'call_sid'"
    assert.equal(await ask(columns), 'String\n')
  })

  it('takes parameters as ClickHouse writes them, text in an array included', async () => {
    assert.equal(await ask('SELECT hex({x:String})', { x: "a\\tb\\\\\\'" }), '6109625C27\n')
    assert.equal(
      await ask('SELECT arrayMap(s -> hex(s), {x:Array(String)})', { x: "['it\\'s','b\\\\']" }),
      "['69742773','625C']\n",
    )
    assert.equal(
      await ask('SELECT isNull({x:Nullable(String)}), {y:UInt64}', { x: '\\N', y: '18446744073709551615' }),
      '1\t18446744073709551615\n',
    )
    assert.equal(await ask('SELECT {x:String}', { x: "' OR 1 --" }), "\\' OR 1 --\n")
    assert.equal(await ask("SELECT toDateTime('2026-01-01 00:00:00', 'UTC')"), '2026-01-01 00:00:00\n')
  })

  it('keeps within rows, bytes, memory and time', async () => {
    assert.equal(await refusal('SELECT number FROM numbers(1001)'), 396)
    assert.equal(await refusal("SELECT repeat('x', 900000) FROM numbers(3)"), 396)
    assert.equal(await refusal("SELECT repeat('x', 900000 + number) FROM numbers(3)"), 396)
    assert.equal(await refusal('SELECT groupArray(number) FROM numbers(100000000)'), 241)
    assert.equal(await refusal('SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1'), 159)
    // The engine is unharmed and so are its own sessions.
    const [row] = await store.query('SELECT count() AS n FROM numbers(5000)', {})
    assert.equal(row?.['n'], '5000')
  })

  it('lets so many run at a time', async () => {
    const slow = 'SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1'
    const asked = await Promise.allSettled([ask(slow), ask(slow), ask('SELECT 1')])
    assert.match(String((asked[2] as PromiseRejectedResult).reason), /at most 2 queries/)
    assert.equal(await ask('SELECT 1'), '1\n')
    for (const clean of cleaners.reverse()) await clean()
  })
})
