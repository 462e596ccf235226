import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Template, type TemplateValues } from '../../src/notify/template.ts'

const known = new Set(['name', 'items', 'empty', 'count'])

function rendered(text: string, values: TemplateValues): string {
  const template = Template.parse(text, known)
  assert.ok(template instanceof Template, String(template))
  return template.render(values, (value) => value.replaceAll('<', '&lt;'))
}

describe('template', () => {
  it('fills in values, harmless, and repeats a part per item; a name is looked for in the item first', () => {
    const items = [{ name: 'a' }, { count: '2' }]
    const text = '<b>{{name}}</b>\n{{#items}}\n- {{name}} {{count}}\n{{/items}}\nend {{items}}'
    assert.equal(rendered(text, { name: '<us>', items }), '<b>&lt;us></b>\n- a \n- &lt;us> 2\nend 2')
  })

  it('shows a part for a value only when it is not empty', () => {
    const text = 'x{{#empty}}[{{empty}}]{{/empty}}'
    assert.equal(rendered(text, { empty: '' }), 'x')
    assert.equal(rendered(text, {}), 'x')
    assert.equal(rendered(text, { empty: 'y' }), 'x[y]')
  })

  it('leaves what values say alone: they are not read as a template, and reach nothing but their names', () => {
    assert.equal(rendered('{{name}}', { name: '{{count}}', count: '9' }), '{{count}}')
    const odd = Template.parse('{{constructor}}', new Set(['constructor']))
    assert.ok(odd instanceof Template)
    assert.equal(
      odd.render({}, (value) => value),
      '',
    )
  })

  it('is refused with all that is wrong', () => {
    assert.deepEqual(Template.parse('{{nmae}} {{#items}} {{/name}} {{/items}} {{#empty}} {{a b}}', known), [
      'there is no {{nmae}}; known are count, empty, items, name',
      '{{/name}} closes nothing',
      '{{a b}} is neither {{name}}, {{#name}} nor {{/name}}',
      '{{#empty}} is not closed',
    ])
  })
})
