/** What the main process and the chdb child say to one another over the IPC channel. Types only; both processes. */

export interface ChdbOpenOptions {
  /** Directory of the engine's data. */
  readonly path: string
  readonly database: string
  /** Engine arguments in `clickhouse local` form. */
  readonly connectionArgs: readonly string[]
  /** How long to go on trying while another process holds the data directory. */
  readonly lockWaitMs: number
  /** The package to load; tests name one that is not there. */
  readonly module: string
}

/** Somebody else's query: runs in a session that the engine itself keeps read-only and within limits. */
export interface SqlQuestion {
  /** Without a FORMAT clause. */
  readonly sql: string
  /** Values as ClickHouse's HTTP protocol writes them: a field of TabSeparated. */
  readonly parameters: Readonly<Record<string, string>>
  readonly format: string
  readonly limits: SqlLimits
  /** Of system tables that may be asked, which rows: table -> condition. The engine holds every query to it. */
  readonly rowFilters: Readonly<Record<string, string>>
}

export interface SqlLimits {
  readonly rowsMax: number
  readonly answerBytesMax: number
  readonly timeMs: number
  readonly memoryBytesMax: number
}

export type ChdbRequest =
  | { readonly id: number; readonly op: 'open'; readonly options: ChdbOpenOptions }
  | {
      readonly id: number
      readonly op: 'insert'
      readonly table: string
      readonly columns: readonly string[]
      readonly rows: Uint8Array
      readonly token: string
    }
  | {
      readonly id: number
      readonly op: 'query'
      readonly sql: string
      readonly parameters: Readonly<Record<string, string | number>>
    }
  | { readonly id: number; readonly op: 'ask'; readonly question: SqlQuestion }
  | { readonly id: number; readonly op: 'command'; readonly sql: string }
  | { readonly id: number; readonly op: 'dump'; readonly sql: string }
  | { readonly id: number; readonly op: 'close' }

export type ChdbReply =
  | {
      readonly id: number
      readonly ok: true
      /** JSONEachRow text of a query. */
      readonly text: string
      /** What was asked read-only, in its format; rows of a dump. */
      readonly bytes?: Uint8Array
    }
  | {
      readonly id: number
      readonly ok: false
      readonly reason: 'module_missing' | 'not_opened' | 'engine'
      /** ClickHouse's error number when it gave one. */
      readonly engineCode: number | null
      readonly message: string
    }
