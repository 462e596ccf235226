/** The bar at the top: the pages, connection, health of the parts, model, and the page's own switches. Browser. */
import { useState } from 'preact/hooks'
import type { Status } from './api-client.ts'
import { readTheme, setTheme, type Theme } from './colours.ts'
import type { ConnectionState } from './event-stream.ts'
import type { House } from './house.ts'
import { Picture } from './label-badge.tsx'
import type { Place } from './place.ts'
import { useTold } from './told.ts'

const connectionWords: Readonly<Record<ConnectionState, string>> = {
  connecting: 'Connecting',
  live: 'Live',
  reconnecting: 'Reconnecting',
}

interface PageHeaderProps {
  readonly house: House
  readonly place: Place
  readonly numbersClear: boolean
  readonly onNumbersClear: (clear: boolean) => void
  readonly onSignOut: () => void
}

export function PageHeader({ house, place, numbersClear, onNumbersClear, onSignOut }: PageHeaderProps) {
  useTold(house.subscribe)
  return (
    <header class="page-header">
      <Brand />
      <Pages house={house} place={place} />
      <div class="header-facts">
        <span class={`connection connection-${house.connection}`} role="status">
          <span class="dot" aria-hidden="true" />
          {connectionWords[house.connection]}
        </span>
        <Health status={house.status} />
        {house.status?.model ? (
          <span class="chip" title="The active voice model">
            <span class="soft">model</span> {house.status.model}
          </span>
        ) : null}
      </div>
      <div class="header-switches">
        <button
          type="button"
          aria-pressed={numbersClear}
          title={numbersClear ? 'Hide all but the last digits of numbers' : 'Show numbers in full'}
          onClick={() => onNumbersClear(!numbersClear)}
        >
          <Picture>
            <path d="M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8Z" />
            <circle cx="8" cy="8" r="1.9" />
          </Picture>
          <span class="switch-name">Numbers</span>
        </button>
        <ThemeSwitch />
        <button type="button" onClick={onSignOut} title="Sign out">
          <Picture>
            <path d="M6.5 2.5h-4v11h4M6 8h8M11 5l3 3-3 3" />
          </Picture>
          <span class="switch-name">Sign out</span>
        </button>
      </div>
    </header>
  )
}

const pages = [
  { name: 'Calls', href: '#/', holds: ['calls', 'call'] },
  { name: 'Fraud', href: '#/fraud', holds: ['fraud', 'case', 'number'] },
  { name: 'Traffic', href: '#/traffic', holds: ['traffic'] },
  { name: 'Models', href: '#/models', holds: ['models'] },
] as const

function Pages({ house, place }: { house: House; place: Place }) {
  useTold(house.cases.subscribe)
  const open = [...house.cases.cases.values()].filter(({ state }) => state === 'open').length
  return (
    <nav class="pages" aria-label="Pages">
      {pages.map(({ name, href, holds }) => (
        <a key={name} href={href} aria-current={(holds as readonly string[]).includes(place.page) ? 'page' : undefined}>
          {name}
          {name === 'Fraud' && open > 0 ? (
            <span class="pages-count">
              {open}
              <span class="unseen"> open {open === 1 ? 'case' : 'cases'}</span>
            </span>
          ) : null}
        </a>
      ))}
    </nav>
  )
}

export function Brand() {
  return (
    <a class="brand" href="#/" aria-label="voicefw, all calls">
      <svg viewBox="0 0 32 32" width="22" height="22" aria-hidden="true">
        <path d="M5 13v6M10.5 8v16M16 11v10M21.5 5v22M27 13v6" />
      </svg>
      voicefw
    </a>
  )
}

/** One chip when all is well; every part that is not, by name. */
function Health({ status }: { status: Status | null }) {
  if (status === null) return null
  const parts = Object.entries(status.checks)
  const troubled = parts.filter(([, check]) => check.state !== 'ok')
  const all = parts.map(([name, check]) => `${name}: ${check.detail ?? check.state}`).join('\n')
  if (troubled.length === 0) {
    return (
      <span class="chip health-ok" title={all}>
        <Picture>
          <path d="m3 8.5 3.5 3.5L13 4.5" />
        </Picture>
        All parts ready
      </span>
    )
  }
  return (
    <>
      {troubled.map(([name, check]) => (
        <span key={name} class={`chip health-${check.state}`} title={all}>
          <Picture>
            <path d="M8 1.8 14.8 13.8H1.2ZM8 6.2v3.6M8 11.8v.1" />
          </Picture>
          {name} {check.state}
          {check.detail ? `: ${check.detail}` : ''}
        </span>
      ))}
    </>
  )
}

const nextTheme: Readonly<Record<Theme, Theme>> = { auto: 'light', light: 'dark', dark: 'auto' }
const themeWords: Readonly<Record<Theme, string>> = { auto: 'Auto', light: 'Light', dark: 'Dark' }

function ThemeSwitch() {
  const [theme, keep] = useState<Theme>(readTheme)
  const turn = () => {
    const next = nextTheme[theme]
    setTheme(next)
    keep(next)
  }
  return (
    <button
      type="button"
      onClick={turn}
      title="Theme: automatic, light or dark"
      aria-label={`Theme: ${themeWords[theme]}`}
    >
      <Picture>
        <circle cx="8" cy="8" r="5.5" />
        <path d="M8 2.5a5.5 5.5 0 0 1 0 11Z" class="filled" />
      </Picture>
      <span class="switch-name">{themeWords[theme]}</span>
    </button>
  )
}
