/**
 * Message templates that a person can edit: text with `{{name}}` for a value and `{{#name}} ... {{/name}}` around what
 * stands once per item of a list, or only when a value is not empty. Nothing else, on purpose: a template cannot run
 * code. Unknown names are found when the template is read, not when the alarm goes off. Pure. Any thread.
 *
 *   {{severity}}: {{title}}
 *   {{#reasons}}- {{text}}
 *   {{/reasons}}
 */

/** Text, or a list of such. Names inside a list's part are looked for in the item first. */
export interface TemplateValues {
  readonly [name: string]: string | readonly TemplateValues[]
}

type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'value'; readonly name: string }
  | { readonly kind: 'part'; readonly name: string; readonly nodes: readonly Node[] }

export class Template {
  readonly #nodes: readonly Node[]

  private constructor(nodes: readonly Node[]) {
    this.#nodes = nodes
  }

  /** @returns the template, or what is wrong with it, a line each. @param known all names that may occur */
  static parse(text: string, known: ReadonlySet<string>): Template | readonly string[] {
    const problems: string[] = []
    const open: { name: string; nodes: Node[] }[] = [{ name: '', nodes: [] }]
    // A line that holds nothing but a mark of a part leaves no empty line behind.
    const tight = text.replace(/^[ \t]*(\{\{[#/]\w+\}\})[ \t]*\r?\n/gm, '$1')
    for (const piece of tight.split(/(\{\{[^{}]*\}\})/)) {
      const top = open.at(-1)!
      const [, mark, name] = /^\{\{([#/]?)(\w+)\}\}$/.exec(piece) ?? []
      if (name === undefined) {
        if (piece.startsWith('{{')) problems.push(`${piece} is neither {{name}}, {{#name}} nor {{/name}}`)
        else if (piece !== '') top.nodes.push({ kind: 'text', text: piece })
      } else if (!known.has(name)) {
        problems.push(`there is no {{${name}}}; known are ${[...known].sort().join(', ')}`)
      } else if (mark === '#') open.push({ name, nodes: [] })
      else if (mark === '') top.nodes.push({ kind: 'value', name })
      else if (top.name !== name || open.length === 1) problems.push(`{{/${name}}} closes nothing`)
      else {
        open.pop()
        open.at(-1)!.nodes.push({ kind: 'part', name, nodes: top.nodes })
      }
    }
    for (const { name } of open.slice(1)) problems.push(`{{#${name}}} is not closed`)
    return problems.length > 0 ? problems : new Template(open[0]!.nodes)
  }

  /** @param harmless makes a value harmless where the text goes; the template's own text stays as it is */
  render(values: TemplateValues, harmless: (value: string) => string): string {
    return render(this.#nodes, [values], harmless)
  }
}

function render(
  nodes: readonly Node[],
  scopes: readonly TemplateValues[],
  harmless: (value: string) => string,
): string {
  let out = ''
  for (const node of nodes) {
    if (node.kind === 'text') {
      out += node.text
      continue
    }
    const value = scopes.find((scope) => Object.hasOwn(scope, node.name))?.[node.name] ?? ''
    if (node.kind === 'value') out += typeof value === 'string' ? harmless(value) : String(value.length)
    else if (typeof value === 'string') out += value === '' ? '' : render(node.nodes, scopes, harmless)
    else for (const item of value) out += render(node.nodes, [item, ...scopes], harmless)
  }
  return out
}
