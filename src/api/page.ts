/**
 * The dashboard's files, read once at start and served from memory with an ETag. The shell is the same for everybody
 * and holds no data; what it shows it asks of the API, which asks who is there. The content security policy allows
 * nothing but our own files. Main thread.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { OperatingError } from '../core/errors.ts'
import type { HttpAnswer, HttpRequest } from '../http/exchange.ts'

const contentSecurityPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
  "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

const files = {
  '/': { name: 'index.html', mediaType: 'text/html; charset=utf-8' },
  '/main.js': { name: 'main.js', mediaType: 'text/javascript; charset=utf-8' },
  '/main.css': { name: 'main.css', mediaType: 'text/css; charset=utf-8' },
} as const

export const pagePaths = Object.keys(files) as (keyof typeof files)[]

interface PageFile {
  readonly body: Buffer
  readonly headers: Readonly<Record<string, string>>
}

export class Page {
  readonly #files = new Map<string, PageFile>()

  /** @param directory where the built page lies (dist/dashboard). A page that was not built is told when asked for. */
  constructor(directory: string) {
    for (const [path, { name, mediaType }] of Object.entries(files)) {
      try {
        const body = readFileSync(`${directory}/${name}`)
        this.#files.set(path, { body, headers: headersOf(body, mediaType) })
      } catch (thrown) {
        if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') throw thrown
      }
    }
  }

  answer(request: HttpRequest): HttpAnswer {
    const file = this.#files.get(request.path)
    if (file === undefined) throw new OperatingError('not_found', 'the dashboard is not built; run: npm run build:page')
    const known = request.headers.get('if-none-match')?.split(',') ?? []
    if (known.some((tag) => tag.trim() === file.headers['ETag'])) return { status: 304, headers: file.headers }
    return { status: 200, headers: file.headers, body: file.body }
  }
}

function headersOf(body: Buffer, mediaType: string): Record<string, string> {
  return {
    'Content-Type': mediaType,
    'Content-Security-Policy': contentSecurityPolicy,
    ETag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
    'Cache-Control': 'no-cache',
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Permissions-Policy': 'camera=(), microphone=(), geolocation=()',
  }
}
