/** The OpenAPI document as a page for people: no script, one style whose hash the page's policy names. Pure. */
import { createHash } from 'node:crypto'
import type { HttpAnswer } from '../http/exchange.ts'
import type { OpenApiDocument, Operation } from './openapi.ts'

const style = `
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1c2530 }
h2 { font-size: 1.05rem; margin: 2.2rem 0 .2rem; padding-top: .8rem; border-top: 1px solid #d5dbe2 }
code, pre { font: 13px/1.45 ui-monospace, monospace } b { display: inline-block; min-width: 4.2rem }
pre { background: #f4f6f8; padding: .6rem; overflow-x: auto } table { border-collapse: collapse; width: 100% }
td { padding: .15rem .8rem .15rem 0; vertical-align: top; border-bottom: 1px solid #edf0f3 }
summary { cursor: pointer; color: #35506b } p { margin: .3rem 0 }
`

const styleHash = createHash('sha256').update(style).digest('base64')
const policy = `default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; frame-ancestors 'none'`

export function referencePage(document: OpenApiDocument): HttpAnswer {
  const sections = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => section(method, path, operation)),
  )
  const { title, version, description } = document.info
  const body = [
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>voicefw API</title>',
    `<style>${style}</style></head><body><h1>${escaped(String(title))} ${escaped(String(version))}</h1>`,
    `<p>${escaped(String(description))} As a document: <a href="/openapi.json">openapi.json</a>.</p>`,
    ...sections,
    '</body></html>',
  ].join('\n')
  const headers = {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Security-Policy': policy,
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    'Cache-Control': 'no-cache',
  }
  return { status: 200, headers, body }
}

function section(method: string, path: string, operation: Operation): string {
  const kind = operation['x-websocket'] === true ? `${method.toUpperCase()}, WS` : method.toUpperCase()
  const parameters = (operation.parameters ?? []).map(({ name, in: where, required, schema }) => {
    return row(`${name}${required ? '' : '?'}`, `${where}: ${JSON.stringify(schema)}`)
  })
  const answers = Object.entries(operation.responses).map(([status, response]) => {
    return row(status, String(response['description'] ?? ''))
  })
  return [
    `<h2><b>${kind}</b> <code>${escaped(path)}</code></h2>`,
    `<p>${escaped(operation.summary)}. ${escaped(operation.description)}</p>`,
    parameters.length > 0 ? `<table>${parameters.join('')}</table>` : '',
    operation.requestBody === undefined ? '' : folded('Body', operation.requestBody['content']),
    `<table>${answers.join('')}</table>`,
    folded('Answer', operation.responses['200'] ?? operation.responses['201'] ?? {}),
  ].join('\n')
}

function row(name: string, value: string): string {
  return `<tr><td><code>${escaped(name)}</code></td><td>${escaped(value)}</td></tr>`
}

function folded(title: string, value: unknown): string {
  const text = escaped(JSON.stringify(value, null, 2) ?? '')
  return `<details><summary>${title}</summary><pre>${text}</pre></details>`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
