/**
 * The theme's colours for canvases, and the theme itself: automatic, light or dark. Canvases cannot read CSS variables
 * that depend on the colour scheme, so a probe element resolves them once per theme. Browser.
 */
export type Theme = 'auto' | 'light' | 'dark'

const names = [
  'ink',
  'ink-soft',
  'line',
  'surface',
  'accent',
  'synthetic',
  'human',
  'inconclusive',
  'insufficient',
  'benign',
  'band-synthetic',
  'band-human',
  'flag-silence',
  'flag-music',
  'flag-tone',
  'flag-dtmf',
  'flag-clipped',
  'flag-gap',
  'line-1',
  'line-2',
  'line-3',
  'line-4',
  'line-5',
] as const

export type ColourName = (typeof names)[number]

let resolved: Record<ColourName, string> | undefined
const listeners = new Set<() => void>()

export function colours(): Record<ColourName, string> {
  if (resolved) return resolved
  const probe = document.createElement('span')
  document.body.append(probe)
  const entries = names.map((name) => {
    probe.style.color = `var(--${name})`
    return [name, getComputedStyle(probe).color] as const
  })
  probe.remove()
  resolved = Object.fromEntries(entries) as Record<ColourName, string>
  return resolved
}

/** Called after the colours changed. @returns the way to stop. */
export function onColours(listener: () => void): () => void {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}

function forget(): void {
  resolved = undefined
  for (const listener of listeners) listener()
}

export function readTheme(): Theme {
  const stored = localStorage.getItem('theme')
  return stored === 'light' || stored === 'dark' ? stored : 'auto'
}

export function setTheme(theme: Theme): void {
  if (theme === 'auto') localStorage.removeItem('theme')
  else localStorage.setItem('theme', theme)
  applyTheme(theme)
}

export function applyTheme(theme: Theme): void {
  if (theme === 'auto') delete document.documentElement.dataset['theme']
  else document.documentElement.dataset['theme'] = theme
  forget()
}

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', forget)
