/**
 * The SQL door of the real server in ClickHouse's HTTP manner, and what of it stands in the audit; then the audit
 * itself, verified by the command line beside the running server and after its end.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { projectRoot } from '../../src/core/project.ts'
import { type Said, say } from '../fakes/callers.ts'
import { type ServerProcess, startServer } from '../fakes/server-process.ts'

let server: ServerProcess
let analyst: string

async function makeKey(body: object): Promise<string> {
  const header = { authorization: `Bearer ${server.key()}`, 'content-type': 'application/json' }
  const said = await say(`${server.url}/v1/keys`, { method: 'POST', header, body: JSON.stringify(body) })
  assert.equal(said.status, 201, said.text)
  return JSON.parse(said.text).key
}

before(async () => {
  server = await startServer()
  analyst = await makeKey({ name: 'grafana', role: 'viewer', scopes: ['sql'] })
})
after(() => server?.end('SIGKILL'))

const ask = (
  query: string,
  over: { key?: string; header?: Record<string, string>; body?: string } = {},
): Promise<Said> => {
  const { key = analyst, header = {}, body } = over
  const method = body === undefined ? 'GET' : 'POST'
  const all = { authorization: `Bearer ${key}`, ...header }
  return say(`${server.url}/v1/sql${query}`, { method, header: all, ...(body === undefined ? {} : { body }) })
}

function verify(...extra: string[]) {
  const file = join(server.dataDir, 'test.yaml')
  const args = [join(projectRoot, 'dist/src/cli.js'), 'audit', 'verify', '--config', file, ...extra]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  return { status, stdout, stderr }
}

describe('the SQL door over HTTP', () => {
  it('answers a query with parameters, and nothing but our tables', async () => {
    const said = await ask(`?param_n=41&default_format=JSONEachRow`, {
      body: 'SELECT toUInt32({n:UInt32} + count()) AS n FROM calls',
    })
    assert.deepEqual([said.status, said.text], [200, '{"n":41}\n'])
    const refused = await ask('', { body: 'SELECT * FROM system.tables' })
    assert.deepEqual([refused.status, refused.headers['x-clickhouse-exception-code']], [403, '497'])
    const changed = await ask('', { body: 'DROP TABLE calls' })
    assert.deepEqual([changed.status, changed.headers['x-clickhouse-exception-code']], [403, '164'])
  })

  it('takes the query from URL or body or both, the format from a clause, a parameter or a header', async () => {
    const cases: [() => Promise<Said>, string, string][] = [
      [() => ask('?query=SELECT+1'), '1\n', 'TabSeparated'],
      [() => ask('', { body: 'SELECT 1 AS a FORMAT CSVWithNames' }), '"a"\n1\n', 'CSVWithNames'],
      [() => ask('?query=SELECT+1+AS', { body: 'a FORMAT JSONEachRow' }), '{"a":1}\n', 'JSONEachRow'],
      [() => ask('?query=SELECT+1+AS+a&default_format=JSONEachRow&max_threads=9'), '{"a":1}\n', 'JSONEachRow'],
      [() => ask('?query=SELECT+1', { header: { 'x-clickhouse-format': 'CSV' } }), '1\n', 'CSV'],
      [() => ask('?query=SELECT+{x:String}&param_x=a%27b'), "a\\'b\n", 'TabSeparated'],
    ]
    for (const [asked, text, format] of cases) {
      const said = await asked()
      assert.deepEqual([said.status, said.text, said.headers['x-clickhouse-format']], [200, text, format])
    }
    assert.equal((await ask('')).text, 'Ok.\n')
  })

  it('says what is wrong as ClickHouse does', async () => {
    const missing = await ask('?query=SELECT+*+FROM+nowhere')
    assert.deepEqual([missing.status, missing.headers['x-clickhouse-exception-code']], [404, '60'])
    assert.match(missing.text, /^Code: 60\. DB::Exception: .*nowhere/)
    const codes = [
      '?query=SELEC',
      '?query=SELECT+1&password=x',
      '?query=SELECT+1&allow_ddl=1',
      '?query=SELECT+1&database=system',
    ]
    const said: Said[] = []
    for (const query of codes) said.push(await ask(query))
    assert.deepEqual(
      said.map(({ status, headers }) => [status, headers['x-clickhouse-exception-code']]),
      [
        [400, '62'],
        [400, '115'],
        [400, '115'],
        [404, '81'],
      ],
    )
  })

  it('is for admins and for keys with scope sql', async () => {
    const plain = await makeKey({ name: 'screen', role: 'operator' })
    const sender = await makeKey({ name: 'switch', role: 'ingest', scopes: ['sql'] })
    assert.equal((await ask('?query=SELECT+1', { key: plain })).status, 403)
    assert.equal((await ask('?query=SELECT+1', { key: sender })).status, 403)
    assert.equal((await ask('?query=SELECT+1', { key: server.key() })).status, 200)
    const header = { authorization: 'Basic ', 'x-clickhouse-user': 'any', 'x-clickhouse-key': analyst }
    const { authorization: _, ...native } = header
    assert.equal((await say(`${server.url}/v1/sql?query=SELECT+1`, { header: native })).status, 200)
  })

  it('is on record, query by query, without the numbers that were asked for', async () => {
    await ask(`?query=${encodeURIComponent("SELECT count() FROM calls WHERE from_number = '12025550100'")}`)
    const header = { authorization: `Bearer ${server.key()}` }
    const said = await say(`${server.url}/v1/audit?action=sql.&limit=1000`, { header })
    const rows = JSON.parse(said.text).rows as { actor: string; result: string; detail: string }[]
    assert.ok(!said.text.includes('12025550100'))
    const row = rows.find(({ detail }) => detail.includes('from_number'))
    assert.match(row?.actor ?? '', /^key:[0-9a-f]{12} grafana$/)
    assert.equal(row?.detail, "SELECT count() FROM calls WHERE from_number = '***'")
    assert.ok(rows.some(({ result, detail }) => result !== 'ok' && detail.includes('system.tables')))
  })
})

describe('the audit of a server', () => {
  it('is verified beside it', () => {
    const { status, stdout, stderr } = verify('--url', server.url)
    assert.equal(status, 0, stdout + stderr)
    assert.match(stdout, /rows: the chain holds\n$/)
    assert.match(verify().stderr, /of a running server ask with --url/)
  })

  it('is exported as NDJSON, a row a line', async () => {
    const header = { authorization: `Bearer ${server.key()}` }
    const said = await say(`${server.url}/v1/audit?format=ndjson&order=chain&limit=3`, { header })
    const rows = said.text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    assert.deepEqual(
      rows.map(({ seq }) => seq),
      [1, 2, 3],
    )
    const cursor = String(said.headers['x-next-cursor'])
    const next = await say(`${server.url}/v1/audit?order=chain&limit=1&cursor=${cursor}`, { header })
    assert.equal(JSON.parse(next.text).rows[0].seq, 4)
  })

  it('is verified after its end, and a row that was changed meanwhile is found', async () => {
    // Killed: what had not reached the table is in the log, and counts.
    await ask('?query=SELECT+7')
    await server.end('SIGKILL')
    const good = verify('--json')
    assert.equal(good.status, 0, good.stdout + good.stderr)
    const { rows, head } = JSON.parse(good.stdout)
    assert.equal(rows, head.seq)
    const { EmbeddedStore } = await import('../../src/storage/embedded-store.ts')
    const { embeddedDefaults } = await import('../fakes/scratch.ts')
    const store = new EmbeddedStore({ ...embeddedDefaults(server.dataDir), database: 'voicefw' })
    await store.start()
    await store.command("ALTER TABLE audit UPDATE detail = '' WHERE seq = 2 SETTINGS mutations_sync = 2")
    await store.close()
    const bad = verify()
    assert.equal(bad.status, 1, bad.stdout + bad.stderr)
    assert.match(bad.stdout, /^changed: chain \S+ row 2: does not fit its hash/m)
  })
})
