/**
 * The dashboard's entry: signs in (by form, by session, or once by `#key=` in the address, which is removed at once),
 * then shows the list of calls or one call by the address's hash. Browser.
 */
import { render } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import 'uplot/dist/uPlot.min.css'
import './tokens.css'
import './layout.css'
import './calls.css'
import { Announcer, TitleCount } from './announcer.tsx'
import { api } from './api-client.ts'
import { CallPage } from './call-page.tsx'
import { applyTheme, readTheme } from './colours.ts'
import { House } from './house.ts'
import { LiveCalls } from './live-calls.tsx'
import { Brand, PageHeader } from './page-header.tsx'
import { PastCalls } from './past-calls.tsx'
import { SignIn, signInProblem } from './sign-in.tsx'

type Access =
  | { readonly state: 'asking' }
  | { readonly state: 'out'; readonly problem: string | null }
  | { readonly state: 'in' }

/** A key handed over in the fragment never reaches the server's logs, and leaves the address bar before it is used. */
async function arrive(): Promise<Access> {
  const handed = /^#key=(.+)$/.exec(location.hash)?.[1]
  if (handed !== undefined) history.replaceState(null, '', location.pathname)
  try {
    if (handed !== undefined) await api.signIn(decodeURIComponent(handed))
    const { actor } = await api.who()
    return actor === null ? { state: 'out', problem: null } : { state: 'in' }
  } catch (thrown) {
    return { state: 'out', problem: signInProblem(thrown) }
  }
}

function App() {
  const [access, setAccess] = useState<Access>({ state: 'asking' })
  useEffect(() => void arrive().then(setAccess), [])
  if (access.state === 'asking') return <p class="nothing">…</p>
  if (access.state === 'in') return <SignedIn onSignedOut={(problem) => setAccess({ state: 'out', problem })} />
  return (
    <>
      <header class="page-header">
        <Brand />
      </header>
      <SignIn problem={access.problem} onSignedIn={() => setAccess({ state: 'in' })} />
    </>
  )
}

function SignedIn({ onSignedOut }: { onSignedOut: (problem: string | null) => void }) {
  const [house] = useState(() => new House())
  const [numbersClear, setNumbersClear] = useState(false)
  const callSid = useCallSid()
  // biome-ignore lint/correctness/useExhaustiveDependencies: started once
  useEffect(() => {
    house.onSignedOut = () => onSignedOut('The session has ended. Sign in again.')
    house.start()
    return () => house.stop()
  }, [house])
  const signOut = () => void api.signOut().finally(() => onSignedOut(null))
  return (
    <>
      {/* biome-ignore lint/a11y/useValidAnchor: it does navigate, inside the page */}
      <a class="skip" href="#main" onClick={skip}>
        Skip to the calls
      </a>
      <PageHeader house={house} numbersClear={numbersClear} onNumbersClear={setNumbersClear} onSignOut={signOut} />
      <main id="main" tabIndex={-1}>
        {callSid === null ? (
          <>
            <h1 class="unseen">Calls</h1>
            <LiveCalls house={house} numbersClear={numbersClear} />
            <PastCalls house={house} numbersClear={numbersClear} />
          </>
        ) : (
          <CallPage house={house} callSid={callSid} numbersClear={numbersClear} />
        )}
      </main>
      <footer class="page-footer">
        A label says how a voice sounds, not who is speaking. <strong>Likely human is not identity.</strong>
      </footer>
      <Announcer store={house.store} />
      <TitleCount store={house.store} />
    </>
  )
}

/** The hash is our address, so the skip link must not change it. */
function skip(event: Event): void {
  event.preventDefault()
  document.getElementById('main')?.focus()
}

function useCallSid(): string | null {
  const read = () => /^#\/calls\/([\w-]{1,64})$/.exec(location.hash)?.[1] ?? null
  const [callSid, setCallSid] = useState(read)
  useEffect(() => {
    const changed = () => {
      setCallSid(read())
      window.scrollTo(0, 0)
    }
    addEventListener('hashchange', changed)
    return () => removeEventListener('hashchange', changed)
  }, [])
  return callSid
}

applyTheme(readTheme())
const root = document.getElementById('app')
if (root) render(<App />, root)
