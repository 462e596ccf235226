import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { parseXml } from '../../src/wire/cdr-decode-xml.ts'

type Tree = { [name: string]: string | string[] | Tree }

/** The other way round: elements, and the five characters that XML 1.0 section 4.6 wants escaped. */
function write(tree: Tree): string {
  return Object.entries(tree)
    .map(([name, value]) => {
      const values = Array.isArray(value) ? value : [value]
      return values.map((one) => `<${name}>${typeof one === 'string' ? escaped(one) : write(one)}</${name}>\n`).join('')
    })
    .join('')
}

function escaped(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' }
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character)
}

it('a tree that is written as XML comes back', () => {
  const text = fc
    .string({ unit: fc.constantFrom('a', '1', '&', '<', '>', '"', "'", 'é', ' x') })
    .map((one) => one.trim())
  const name = fc.constantFrom('alpha', 'b-c', 'd.e', 'f1')
  const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
    tree: fc.dictionary(
      name,
      fc.oneof({ depthSize: 'small' }, text, fc.array(text, { minLength: 2, maxLength: 3 }), tie('tree')),
      { minKeys: 1, maxKeys: 4 },
    ) as fc.Arbitrary<Tree>,
  }))
  fc.assert(
    fc.property(tree, (value) => {
      const parsed = parseXml(`<cdr>${write(value)}</cdr>`)
      assert.deepEqual(parsed, { tree: JSON.parse(JSON.stringify(value)) as Tree })
    }),
  )
})

it('what is not well formed is told in words', () => {
  for (const text of [
    '<a><b></a></b>',
    '<a>',
    '</a>',
    '<a>1 < 2</a>',
    'text',
    `${'<a>'.repeat(40)}${'</a>'.repeat(40)}`,
  ]) {
    assert.equal(typeof parseXml(text), 'string', text.slice(0, 20))
  }
})

it('declarations define nothing and fetch nothing', () => {
  const parsed = parseXml('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>')
  assert.ok(typeof parsed === 'string' || JSON.stringify(parsed) === '{"tree":{}}')
})
