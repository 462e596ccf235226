/**
 * XML records: the elements of one name (BroadWorks `<cdrData>`, FreeSWITCH `<cdr>`), each a small tree. A reader for
 * records, not for documents: elements, text, CDATA, comments, the five named and the numeric entities. No DTD, no
 * external entity, no namespace logic (a prefix is dropped). Attributes are kept as `@name`. Any thread.
 *
 *   <cdrData><basicModule><callingNumber>+12025550123</callingNumber>…   ->   basicModule.callingNumber
 */
import { decodeText, joinBytes, type RawSink, type RecordDecoder, recordBytesMax } from './cdr-raw.ts'

/** Nesting of elements within a record. */
const depthMax = 32

type XmlTree = { [name: string]: unknown }

/** The record's element is cut out of the stream by its tags; everything around it is not looked at. */
export class XmlDecoder implements RecordDecoder {
  readonly #openTag: string
  readonly #closeTag: string
  #rest: Uint8Array | null = null
  #index = 0
  #line = 1

  constructor(element: string) {
    this.#openTag = `<${element}`
    this.#closeTag = `</${element}>`
  }

  push(chunk: Uint8Array, sink: RawSink): void {
    const bytes = joinBytes(this.#rest, chunk)
    let at = 0
    for (;;) {
      const open = this.#findOpen(bytes, at)
      if (open < 0) {
        // Keep what may be the first half of an opening tag.
        const keep = Math.max(at, bytes.length - this.#openTag.length - 1)
        this.#count(bytes, at, keep)
        at = keep
        break
      }
      this.#count(bytes, at, open)
      at = open
      const close = bytes.indexOf(this.#closeTag, open)
      const next = this.#findOpen(bytes, open + this.#openTag.length)
      if (next >= 0 && (close < 0 || next < close)) {
        const detail = `${this.#openTag}> does not close before the next one`
        sink.undecodable({ index: this.#index++, line: this.#line, code: 'xml_malformed', detail })
        this.#count(bytes, at, next)
        at = next
        continue
      }
      if (close < 0) break
      const end = close + this.#closeTag.length
      parseXmlRecord(bytes.subarray(open, end), this.#index++, this.#line, sink)
      this.#count(bytes, at, end)
      at = end
    }
    this.#rest = at < bytes.length ? Uint8Array.prototype.slice.call(bytes, at) : null
    if (this.#rest !== null && this.#rest.length > recordBytesMax) {
      const detail = `more than ${recordBytesMax} bytes without ${this.#closeTag}`
      sink.undecodable({ index: this.#index++, line: this.#line, code: 'record_too_large', detail })
      this.#rest = null
    }
  }

  end(sink: RawSink): void {
    const rest = joinBytes(this.#rest, new Uint8Array(0))
    this.#rest = null
    if (this.#findOpen(rest, 0) < 0) return
    const detail = `the text ends before ${this.#closeTag}`
    sink.undecodable({ index: this.#index++, line: this.#line, code: 'record_truncated', detail })
  }

  /** `<cdr` must not find `<cdrData`. */
  #findOpen(bytes: Buffer, from: number): number {
    for (let at = bytes.indexOf(this.#openTag, from); at >= 0; at = bytes.indexOf(this.#openTag, at + 1)) {
      const after = bytes[at + this.#openTag.length]
      if (after === undefined) return -1
      if (after === 0x3e || after === 0x2f || after <= 0x20) return at
    }
    return -1
  }

  #count(bytes: Uint8Array, from: number, to: number): void {
    for (let at = from; at < to; at++) if (bytes[at] === 0x0a) this.#line++
  }
}

/** One element with all that is in it; the record's tree is what stands inside. */
export function parseXmlRecord(bytes: Uint8Array, index: number, line: number, sink: RawSink): void {
  const { text, badUtf8 } = decodeText(bytes)
  const parsed = parseXml(text)
  if (typeof parsed === 'string') sink.undecodable({ index, line, code: 'xml_malformed', detail: parsed })
  else sink.record({ index, line, fields: parsed.tree, columns: null, badUtf8 })
}

const tagPattern =
  /<!--[\s\S]*?-->|<!\[CDATA\[([\s\S]*?)\]\]>|<\?[\s\S]*?\?>|<(\/?)([^\s/>!?]+)((?:[^>"']|"[^"]*"|'[^']*')*?)(\/?)>/g

interface Open {
  readonly name: string
  readonly tree: XmlTree
  text: string
  hasChildren: boolean
}

/** The outermost element's tree, or what is wrong. */
export function parseXml(text: string): { tree: XmlTree } | string {
  const root: Open = { name: '', tree: {}, text: '', hasChildren: false }
  const stack: Open[] = [root]
  let at = 0
  for (const match of text.matchAll(tagPattern)) {
    const top = stack[stack.length - 1]
    if (top === undefined) break
    const between = text.slice(at, match.index)
    if (between.includes('<')) return 'a < that begins no tag'
    top.text += unescapeXml(between)
    at = match.index + match[0].length
    const [, cdata, slash, name, attributes, selfClosing] = match
    if (cdata !== undefined) top.text += cdata
    else if (name === undefined) continue
    else if (slash === '/') {
      if (stack.length === 1 || top.name !== name) return `</${name.slice(0, 40)}> closes what is not open`
      stack.pop()
      put(stack[stack.length - 1], localName(name), elementValue(top))
    } else {
      const open: Open = { name, tree: attributesOf(attributes ?? ''), text: '', hasChildren: false }
      if (stack.length > depthMax) return `more than ${depthMax} elements deep`
      if (selfClosing === '/') put(top, localName(name), elementValue(open))
      else stack.push(open)
    }
  }
  if (stack.length > 1) return `<${(stack[stack.length - 1]?.name ?? '').slice(0, 40)}> is not closed`
  const outermost = Object.values(root.tree)[0]
  if (outermost === undefined) return 'no element'
  return { tree: typeof outermost === 'object' && outermost !== null ? (outermost as XmlTree) : {} }
}

function elementValue(open: Open): unknown {
  if (open.hasChildren) return open.tree
  const text = open.text.trim()
  return Object.keys(open.tree).length === 0 ? text : { ...open.tree, '#text': text }
}

/** A repeated element becomes a list. */
function put(parent: Open | undefined, name: string, value: unknown): void {
  if (parent === undefined) return
  parent.hasChildren = true
  const before = parent.tree[name]
  if (!Object.hasOwn(parent.tree, name)) {
    Object.defineProperty(parent.tree, name, { value, enumerable: true, writable: true, configurable: true })
  } else if (Array.isArray(before)) before.push(value)
  else parent.tree[name] = [before, value]
}

function attributesOf(text: string): XmlTree {
  const tree: XmlTree = {}
  for (const [, name, double, single] of text.matchAll(/([^\s=]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g)) {
    if (name !== undefined) tree[`@${localName(name)}`] = unescapeXml(double ?? single ?? '')
  }
  return tree
}

function localName(name: string): string {
  return name.slice(name.indexOf(':') + 1)
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function unescapeXml(text: string): string {
  if (!text.includes('&')) return text
  return text.replace(/&(#x[0-9a-fA-F]{1,6}|#\d{1,7}|[a-z]{2,4});/g, (whole, name: string) => {
    if (name[0] !== '#') return entities[name] ?? whole
    const point = name[1] === 'x' ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1))
    return point <= 0x10ffff ? String.fromCodePoint(point) : whole
  })
}
