/**
 * The dashboard's entry: signs in (by form, by session, or once by `#key=` in the address, which is removed at once),
 * then shows the page that the address's hash names. Browser.
 */
import { render } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import 'uplot/dist/uPlot.min.css'
import './tokens.css'
import './layout.css'
import './calls.css'
import './fraud.css'
import './models.css'
import { usePlace } from './address.ts'
import { Announcer, TitleCount } from './announcer.tsx'
import { api, type Who } from './api-client.ts'
import { CallPage } from './call-page.tsx'
import { CasePage } from './case-page.tsx'
import { applyTheme, readTheme } from './colours.ts'
import { FraudPage } from './fraud-page.tsx'
import { House } from './house.ts'
import { LiveCalls } from './live-calls.tsx'
import { ModelsPage } from './models-page.tsx'
import { NumberPage } from './number-page.tsx'
import { Brand, PageHeader } from './page-header.tsx'
import { PastCalls } from './past-calls.tsx'
import type { Place } from './place.ts'
import { SignIn, signInProblem } from './sign-in.tsx'
import { TrafficPage } from './traffic-page.tsx'

type Access =
  | { readonly state: 'asking' }
  | { readonly state: 'out'; readonly problem: string | null }
  | { readonly state: 'in'; readonly who: Who }

/** A key handed over in the fragment never reaches the server's logs, and leaves the address bar before it is used. */
async function arrive(): Promise<Access> {
  const handed = /^#key=(.+)$/.exec(location.hash)?.[1]
  if (handed !== undefined) history.replaceState(null, '', location.pathname)
  try {
    if (handed !== undefined) await api.signIn(decodeURIComponent(handed))
    const who = await api.who()
    return who.actor === null ? { state: 'out', problem: null } : { state: 'in', who }
  } catch (thrown) {
    return { state: 'out', problem: signInProblem(thrown) }
  }
}

function App() {
  const [access, setAccess] = useState<Access>({ state: 'asking' })
  useEffect(() => void arrive().then(setAccess), [])
  if (access.state === 'asking') return <p class="nothing">…</p>
  if (access.state === 'in') {
    return <SignedIn who={access.who} onSignedOut={(problem) => setAccess({ state: 'out', problem })} />
  }
  return (
    <>
      <header class="page-header">
        <Brand />
      </header>
      <SignIn problem={access.problem} onSignedIn={(who) => setAccess({ state: 'in', who })} />
    </>
  )
}

function SignedIn({ who, onSignedOut }: { who: Who; onSignedOut: (problem: string | null) => void }) {
  const [house] = useState(() => new House(who))
  const [numbersClear, setNumbersClear] = useState(false)
  const place = usePlace()
  // biome-ignore lint/correctness/useExhaustiveDependencies: started once
  useEffect(() => {
    house.onSignedOut = () => onSignedOut('The session has ended. Sign in again.')
    house.start()
    return () => house.stop()
  }, [house])
  const signOut = () => void api.signOut().finally(() => onSignedOut(null))
  const ofCalls = place.page === 'calls' || place.page === 'call' || place.page === 'models'
  return (
    <>
      {/* biome-ignore lint/a11y/useValidAnchor: it does navigate, inside the page */}
      <a class="skip" href="#main" onClick={skip}>
        {place.page === 'calls' || place.page === 'call' ? 'Skip to the calls' : 'Skip to the content'}
      </a>
      <PageHeader {...{ house, place, numbersClear }} onNumbersClear={setNumbersClear} onSignOut={signOut} />
      <main id="main" tabIndex={-1}>
        <Content place={place} house={house} numbersClear={numbersClear} />
      </main>
      <footer class="page-footer">
        {ofCalls ? (
          <>
            A label says how a voice sounds, not who is speaking. <strong>Likely human is not identity.</strong>
          </>
        ) : (
          <>
            A case says what a pattern of calls looks like, not who is behind it.{' '}
            <strong>Calling numbers can be forged.</strong>
          </>
        )}
      </footer>
      <Announcer house={house} />
      <TitleCount store={house.store} />
    </>
  )
}

function Content({ place, house, numbersClear }: { place: Place; house: House; numbersClear: boolean }) {
  switch (place.page) {
    case 'call':
      return <CallPage house={house} callSid={place.id} numbersClear={numbersClear} />
    case 'fraud':
      return <FraudPage house={house} numbersClear={numbersClear} />
    case 'case':
      return <CasePage key={place.id} house={house} id={place.id} numbersClear={numbersClear} />
    case 'number':
      return <NumberPage key={place.id} house={house} number={place.id} numbersClear={numbersClear} />
    case 'traffic':
      return <TrafficPage />
    case 'models':
      return <ModelsPage house={house} />
    default:
      return (
        <>
          <h1 class="unseen">Calls</h1>
          <LiveCalls house={house} numbersClear={numbersClear} />
          <PastCalls house={house} numbersClear={numbersClear} />
        </>
      )
  }
}

/** The hash is our address, so the skip link must not change it. */
function skip(event: Event): void {
  event.preventDefault()
  document.getElementById('main')?.focus()
}

applyTheme(readTheme())
const root = document.getElementById('app')
if (root) render(<App />, root)
