/**
 * The SQL door of the real server asked by ClickHouse's own client for Node (`@clickhouse/client`), and by the very
 * requests of clickhouse-go 2.50.0 over HTTP (conn_http.go: dialHttp, queryHello, ping), as Grafana's ClickHouse data
 * source sets it up (grafana/clickhouse-datasource, pkg/plugin/driver.go Connect: gzip, `limit`, Basic; pkg/plugin/
 * schema.go and src/data/CHDatasource.ts: what it asks). Their bytes were written down from a run of the real library
 * against this door, whose answers it read.
 */
import assert from 'node:assert/strict'
import { request as ask } from 'node:http'
import { after, before, describe, it } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { type ClickHouseClient, ClickHouseError, createClient } from '@clickhouse/client'
import { say } from '../fakes/callers.ts'
import { type ServerProcess, startServer } from '../fakes/server-process.ts'

let server: ServerProcess
const clients: ClickHouseClient[] = []

before(async () => {
  server = await startServer({ config: { sql: { queryBytesMax: 20_000 } } })
})
after(async () => {
  for (const client of clients) await client.close()
  await server?.end('SIGKILL')
})

function clientAt(path: string, over: Parameters<typeof createClient>[0] = {}): ClickHouseClient {
  const client = createClient({
    url: server.url,
    pathname: path,
    username: 'any',
    password: server.key(),
    database: 'voicefw',
    ...over,
  })
  clients.push(client)
  return client
}

describe("ClickHouse's client for Node", () => {
  for (const path of ['', '/v1/sql']) {
    it(`asks at ${path || '/'}, with parameters, compressed or not`, async () => {
      for (const response of [false, true]) {
        const client = clientAt(path, { compression: { request: false, response }, session_id: 's1' })
        assert.deepEqual(await client.ping(), { success: true })
        assert.deepEqual(await client.ping({ select: true }), { success: true })
        const result = await client.query({
          query: 'SELECT number AS n, {text:String} AS t, {list:Array(String)} AS l FROM numbers({many:UInt32})',
          query_params: { text: "a\t'b\\", list: ["it's", 'b\\'], many: 200 },
          format: 'JSONEachRow',
        })
        const rows = await result.json<{ n: string; t: string; l: string[] }>()
        assert.equal(rows.length, 200)
        assert.deepEqual(rows[7], { n: '7', t: "a\t'b\\", l: ["it's", 'b\\'] })
        assert.equal(result.response_headers['content-encoding'], response ? 'gzip' : undefined)
        assert.equal(result.response_headers['x-clickhouse-query-id'], result.query_id)
        assert.equal(result.response_headers['x-voicefw-ignored'], 'session_id')
      }
    })
  }

  it('gets its errors with code and name', async () => {
    const client = clientAt('')
    const error = async (query: string, settings: Record<string, string> = {}): Promise<unknown[]> => {
      const asked = client.query({ query, clickhouse_settings: settings })
      const thrown = await asked.then(
        () => assert.fail(`${query} was answered`),
        (reason: unknown) => reason,
      )
      assert.ok(thrown instanceof ClickHouseError, String(thrown))
      return [thrown.code, thrown.type]
    }
    assert.deepEqual(await error('SELECT * FROM nowhere'), ['60', 'UNKNOWN_TABLE'])
    assert.deepEqual(await error('SELECT * FROM audit'), ['497', 'ACCESS_DENIED'])
    assert.deepEqual(await error('DROP TABLE calls'), ['164', 'READONLY'])
    assert.deepEqual(await error('SELECT 1', { allow_ddl: '1' }), ['115', 'UNKNOWN_SETTING'])
    assert.deepEqual(await error('SELECT number FROM numbers(200000)'), ['396', 'TOO_MANY_ROWS_OR_BYTES'])
  })

  it('cannot insert, send compressed or send more than a query may be', async () => {
    const client = clientAt('')
    const insert = client.insert({ table: 'calls', values: [{ call_sid: 'x' }], format: 'JSONEachRow' })
    await assert.rejects(insert, { code: '164' })
    const packed = clientAt('', { compression: { request: true, response: false } })
    const squeezed = packed.insert({ table: 'calls', values: [{ call_sid: 'x' }], format: 'JSONEachRow' })
    await assert.rejects(squeezed, { code: '48' })
    await assert.rejects(client.query({ query: `SELECT '${'x'.repeat(30_000)}'` }), /body_too_large/)
    const large = { x: 'y'.repeat(5000) }
    const parts = client.query({ query: 'SELECT {x:String}', query_params: large, use_multipart_params: true })
    await assert.rejects(parts, { code: '48' })
  })

  it('is refused without the right key, and with it in the URL', async () => {
    await assert.rejects(clientAt('', { password: 'wrong' }).query({ query: 'SELECT 1' }), /unauthenticated/)
    const said = await say(`${server.url}/?query=SELECT+1&user=any&password=${server.key()}`)
    assert.equal(said.status, 401)
    const header = { 'x-clickhouse-user': 'any', 'x-clickhouse-key': server.key() }
    assert.equal((await say(`${server.url}/?query=SELECT+1`, { header })).text, '1\n')
    // The path is the page's for everybody else.
    assert.match((await say(`${server.url}/?tab=fraud`)).text, /<!doctype html>|not built/i)
  })
})

const query = 'client_protocol_version=54460&database=voicefw&default_format=Native&limit=1000000'

/** As net/http writes it. */
async function asGrafana(path: string, body: string): Promise<Buffer> {
  const headers = {
    'User-Agent': 'grafana/11.4.0 clickhouse-go/2.50.0 (lv:go/1.26.8; os:linux)',
    'Content-Length': String(Buffer.byteLength(body)),
    Authorization: `Basic ${Buffer.from(`grafana:${server.key()}`).toString('base64')}`,
    'Accept-Encoding': 'gzip',
  }
  return new Promise((resolve, reject) => {
    const asked = ask(`${server.url}${path}?${query}`, { method: 'POST', headers, agent: false }, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('end', () => {
        const whole = Buffer.concat(chunks)
        if (answer.statusCode !== 200) return reject(new Error(`${answer.statusCode} ${whole.toString()}`))
        resolve(answer.headers['content-encoding'] === 'gzip' ? gunzipSync(whole) : whole)
      })
    })
    asked.on('error', reject)
    asked.end(body)
  })
}

/** Of a block of one row of texts: block info, columns, rows, then name, type, 0 and value of each. */
function textsOf(block: Buffer): string[] {
  assert.equal(block.subarray(0, 8).toString('hex'), '010002ffffffff00')
  let at = 10
  const text = (): string => {
    const length = block[at] ?? 0
    at += 1 + length
    return block.toString('utf8', at - length, at)
  }
  return Array.from({ length: block[8] ?? 0 }, () => {
    assert.ok(text().length > 0)
    assert.equal(text(), 'String')
    assert.equal(block[at], 0)
    at += 1
    return text()
  })
}

describe("Grafana's ClickHouse data source", () => {
  it('says hello and is told who answers', async () => {
    const asked = 'SELECT displayName(), version(), toString(revision()), timezone()'
    const [, version = ''] = textsOf(await asGrafana('/v1/sql', asked))
    assert.match(version, /^\d+\.\d+\./)
    const hello = await asGrafana('', 'SELECT displayName(), version(), revision(), timezone()')
    assert.equal(hello.subarray(8, 10).toString('hex'), '0401')
    const one = await asGrafana('', 'SELECT 1')
    assert.equal(one.toString('hex'), `010002ffffffff00${'0101'}0131${'0555496e7438'}0001`)
  })

  it('finds our tables and their columns, and what it may not see it does not', async () => {
    const tables = (await asGrafana('', 'SELECT database, name FROM system.tables ORDER BY database, name')).toString()
    assert.ok(tables.includes('traffic_minutes') && !tables.includes('audit') && !tables.includes('system'))
    const columns =
      'SELECT database, table, name, type, comment FROM system.columns ' +
      "WHERE (database, table) IN (('voicefw', 'calls')) " +
      "OR (database = currentDatabase() AND table IN ('cdrs')) ORDER BY database, table, position"
    assert.ok((await asGrafana('', columns)).toString().includes('call_sid'))
    assert.ok((await asGrafana('', 'SHOW TABLES FROM voicefw')).toString().includes('voice_windows'))
    assert.ok((await asGrafana('', 'DESC TABLE "voicefw"."calls"')).toString().includes('call_sid'))
    await assert.rejects(
      asGrafana('', "SELECT value FROM system.settings WHERE name='readonly'"),
      /^Error: 403 Code: 497/,
    )
  })
})
