/**
 * Whether somebody else's query stays within our tables. The engine keeps it read-only, which also refuses every
 * function that reads a file or a URL as a table; what it lets through (its system tables, `file()` as a value,
 * dictionaries) is refused here, by what the engine's own parser says (`EXPLAIN AST`), not by a parser of ours. Pure.
 */
import { OperatingError } from '../core/errors.ts'

/** What may be asked. Not the audit, which is for admins, nor the ledger of migrations. */
const tablesOpen: ReadonlySet<string> = new Set([
  ...['calls', 'voice_windows', 'cdrs', 'cdr_scores', 'cases', 'actions', 'shadow_scores'],
  ...['traffic_minutes', 'source_quality', 'source_quality_examples'],
])
/**
 * Of the engine's own tables, what tools look for; only rows about the tables above are seen (`rowFilters`), and none
 * of the columns that tell where files lie.
 */
const systemTablesOpen: ReadonlySet<string> = new Set(['system.tables', 'system.columns', 'system.databases'])
const columnsClosed: ReadonlySet<string> = new Set(['data_paths', 'data_path', 'metadata_path', 'storage_policy'])

/** Which rows of the engine's tables a query may see; the engine adds the conditions to whatever is asked. */
export function rowFiltersOf(database: string): Record<string, string> {
  const names = [...tablesOpen].map((name) => `'${name}'`).join(', ')
  return {
    'system.tables': `database = '${database}' AND name IN (${names})`,
    'system.columns': `database = '${database}' AND table IN (${names})`,
    'system.databases': `name = '${database}'`,
  }
}

const tableFunctionsOpen: ReadonlySet<string> = new Set([
  'numbers',
  'zeros',
  'generateseries',
  'generate_series',
  'values',
])
/** Names that are a table function and, elsewhere, a harmless function. */
const doubleNames: ReadonlySet<string> = new Set(['format', 'null', 'values', 'primes'])

/** Categories of functions (system.functions) that look beyond the query's own data. */
export const categoriesClosed = [
  ...[
    'Introspection',
    'AI',
    'Dictionary',
    'Dictionaries',
    'Embedded Dictionary',
    'Machine Learning',
    'Internal',
    'Other',
  ],
]
/** What is harmless and in use of the closed categories; `_CAST` is what a parameter becomes. */
const functionsOpen: ReadonlySet<string> = new Set(
  [
    ...['_CAST', 'bar', 'byteSize', 'countDigits', 'currentDatabase', 'database', 'displayName', 'errorCodeToName'],
    ...['finalizeAggregation', 'formatReadableDecimalSize', 'formatReadableQuantity', 'formatReadableSize'],
    ...['formatReadableTimeDelta', 'identity', 'ignore', 'initializeAggregation', 'isConstant', 'materialize'],
    ...['minSampleSizeContinuous', 'minSampleSizeConversion', 'neighbor', 'parseTimeDelta', 'revision'],
    ...['rowNumberInAllBlocks', 'rowNumberInBlock', 'runningAccumulate', 'runningDifference', 'throwIf'],
    ...['toColumnTypeName', 'toTypeName', 'transform', 'version', 'visibleWidth'],
  ].map((name) => name.toLowerCase()),
)
/** Closed whatever an engine of another version calls their category. */
const functionsClosed =
  /^(file|dict.*|joinget.*|hascolumnintable|catboost.*|ai[A-Z].*|sleep.*|getsetting.*|getserver.*)$/i

/** What the engine has, asked once. */
export interface EngineNames {
  /** Of closed categories, lower case, aliases included. */
  readonly functionsClosed: ReadonlySet<string>
  /** Lower case. */
  readonly tableFunctions: ReadonlySet<string>
}

export interface PreparedSql {
  readonly sql: string
  /** Of a FORMAT clause at the end. */
  readonly format: string | null
}

/** Why a query is not run; `engineCode` is ClickHouse's number for that. */
export class SqlRefused extends OperatingError {
  readonly engineCode: number

  constructor(engineCode: number, detail: string) {
    super('bad_request', detail)
    this.engineCode = engineCode
  }
}

const syntaxError = 62
const accessDenied = 497
const readOnly = 164

/** One statement, its FORMAT taken off. @throws SqlRefused */
export function preparedSql(text: string): PreparedSql {
  const ended = text.replace(/[\s;]+$/, '')
  const clause = /\sFORMAT\s+([A-Za-z0-9]{1,60})$/i.exec(ended)
  const sql = clause === null ? ended : ended.slice(0, clause.index)
  // Where a text or a comment ends is the engine's to know; without a semicolon there is nothing to know.
  if (sql.includes(';')) throw new SqlRefused(syntaxError, 'one statement; a semicolon in a text is written char(59)')
  if (/\boutfile\b/i.test(sql)) throw new SqlRefused(accessDenied, 'INTO OUTFILE is not for this door')
  return { sql: shownAsQuery(sql), format: clause?.[1] ?? null }
}

/** What tools ask first, as the query that the engine would make of it. */
function shownAsQuery(sql: string): string {
  if (/^\s*SHOW\s+DATABASES$/i.test(sql)) return 'SELECT name FROM system.databases ORDER BY name'
  const shown = /^\s*SHOW\s+TABLES(?:\s+(?:FROM|IN)\s+(["`]?)(\w{1,64})\1)?$/i.exec(sql)
  if (shown === null) return sql
  const database = shown[2] === undefined ? 'currentDatabase()' : `'${shown[2]}'`
  return `SELECT name FROM system.tables WHERE database = ${database} ORDER BY name`
}

/**
 * Reads the lines of EXPLAIN AST. `tables`: all tables of our database, ours to show or not.
 * @throws SqlRefused
 */
export function checkSyntaxTree(
  tree: string,
  database: string,
  tables: ReadonlySet<string>,
  engine: EngineNames,
): void {
  const lines = tree.split('\n').filter((line) => line.trim() !== '')
  const kind = (lines[0] ?? '').trim().split(' ')[0] ?? ''
  if (!['SelectWithUnionQuery', 'SelectIntersectExceptQuery', 'DescribeQuery'].includes(kind)) {
    throw new SqlRefused(readOnly, 'SELECT and DESCRIBE only')
  }
  // A text right below the statement is the file of INTO OUTFILE, which the embedded engine would write.
  if (lines.some((line) => line.startsWith(' Literal '))) throw new SqlRefused(accessDenied, 'no INTO OUTFILE here')
  const looksAtSystem = lines.some((line) => /^\s*TableIdentifier system\./.test(line))
  let above = ''
  for (const line of lines) {
    const [, node = '', rest = ''] = /^\s*(\w+)(?: (.*))?$/.exec(line) ?? []
    const name = rest.replace(/ \((?:alias|children) .*$/s, '')
    if (node === 'TableIdentifier') checkTable(name, database, tables, above === 'TableExpression')
    else if (node === 'Identifier') checkIdentifier(name, database, tables)
    else if (node === 'Function') checkFunction(name.split(' ')[0] ?? '', above === 'TableExpression', engine)
    if (looksAtSystem) checkSystemColumn(node, name)
    if (node === 'QueryParameter') throw new SqlRefused(accessDenied, 'a parameter may be a value, not a name')
    above = node
  }
}

/** A name alone is one of our tables, or one that the query itself gives (WITH); both are told apart by the engine. */
function checkTable(name: string, database: string, tables: ReadonlySet<string>, isRead: boolean): void {
  if (isRead && systemTablesOpen.has(name)) return
  const parts = name.split('.')
  const plain = parts.length === 1 ? name : parts.length === 2 && parts[0] === database ? (parts[1] ?? '') : null
  if (plain !== null && tablesOpen.has(plain)) return
  if (plain !== null && parts.length === 1 && /^[A-Za-z_]\w{0,60}$/.test(plain) && !tables.has(plain)) return
  throw new SqlRefused(
    accessDenied,
    `table ${name.slice(0, 100)} is not open here; there are ${[...tablesOpen].join(', ')}`,
  )
}

/** Columns of the engine's tables are named one by one: some tell of this machine. */
function checkSystemColumn(node: string, name: string): void {
  const isAll = /^(Qualified)?(Asterisk|Columns\w*Matcher)$/.test(node)
  const isClosed = node === 'Identifier' && columnsClosed.has(name.split('.').at(-1) ?? '')
  if (isAll || isClosed)
    throw new SqlRefused(accessDenied, 'name the columns of a system table; those of paths are closed')
}

/** `x IN name` takes a table by its name. Columns are never called like a database or a closed table. */
function checkIdentifier(name: string, database: string, tables: ReadonlySet<string>): void {
  const [first = '', second] = name.split('.')
  const isForeign = ['system', 'information_schema', 'default'].includes(first.toLowerCase())
  const table = first === database && second !== undefined ? second : first
  const isClosed = tables.has(table) && !tablesOpen.has(table)
  if (isForeign || isClosed) throw new SqlRefused(accessDenied, `${name.slice(0, 100)} is not open here`)
}

function checkFunction(name: string, isTable: boolean, engine: EngineNames): void {
  const lower = name.toLowerCase()
  const isTableFunction = engine.tableFunctions.has(lower)
  const isOpen = isTable
    ? tableFunctionsOpen.has(lower)
    : (!isTableFunction || tableFunctionsOpen.has(lower) || doubleNames.has(lower)) &&
      (functionsOpen.has(lower) || (!engine.functionsClosed.has(lower) && !functionsClosed.test(name)))
  if (!isOpen) throw new SqlRefused(accessDenied, `function ${name.slice(0, 100)} is not open here`)
}
