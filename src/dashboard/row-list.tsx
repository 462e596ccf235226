/**
 * A list of rows that the keyboard walks: one row is in the tab order, arrow keys, Home and End move among them. While
 * a person points or stands inside, `onBusy` says so, and the owner keeps the order still under their hand. Browser.
 */
import type { ComponentChildren } from 'preact'
import { useRef } from 'preact/hooks'

interface RowListProps {
  readonly name: string
  readonly children: ComponentChildren
  readonly onBusy?: (busy: boolean) => void
  /** The row that has the tab stop from now on. */
  readonly onFocusRow: (key: string) => void
}

export function RowList({ name, children, onBusy, onFocusRow }: RowListProps) {
  const list = useRef<HTMLDivElement>(null)
  const busy = useRef({ pointer: false, focus: false })
  const tell = (change: Partial<{ pointer: boolean; focus: boolean }>) => {
    Object.assign(busy.current, change)
    onBusy?.(busy.current.pointer || busy.current.focus)
  }
  const move = (event: KeyboardEvent) => {
    const rows = [...(list.current?.querySelectorAll<HTMLElement>('[data-key]') ?? [])]
    const at = rows.indexOf(document.activeElement as HTMLElement)
    const steps: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }
    const target = rows[steps[event.key] ?? -1]
    if (at < 0 || target === undefined) return
    event.preventDefault()
    target.focus()
  }
  const focused = (event: FocusEvent) => {
    tell({ focus: true })
    const key = (event.target as HTMLElement).dataset['key']
    if (key !== undefined) onFocusRow(key)
  }
  return (
    // biome-ignore lint/a11y/useSemanticElements: rows are links in a grid, a list would lose their columns
    <div
      ref={list}
      class="rows"
      role="group"
      aria-label={name}
      onKeyDown={move}
      onPointerEnter={() => tell({ pointer: true })}
      onPointerLeave={() => tell({ pointer: false })}
      onFocusIn={focused}
      onFocusOut={() => tell({ focus: false })}
    >
      {children}
    </div>
  )
}
