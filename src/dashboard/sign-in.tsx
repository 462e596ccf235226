/** The form that exchanges an API key for a session. The key goes into a password field and nowhere else. Browser. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { ApiProblem, api, problemText, type Who } from './api-client.ts'

export function SignIn({ problem, onSignedIn }: { problem: string | null; onSignedIn: (who: Who) => void }) {
  const [message, setMessage] = useState(problem)
  const [waiting, setWaiting] = useState(false)
  const field = useRef<HTMLInputElement>(null)
  useEffect(() => field.current?.focus(), [])
  const submit = async (event: Event) => {
    event.preventDefault()
    setWaiting(true)
    setMessage(null)
    try {
      onSignedIn(await api.signIn(field.current?.value.trim() ?? ''))
    } catch (thrown) {
      setMessage(signInProblem(thrown))
      setWaiting(false)
      field.current?.select()
    }
  }
  return (
    <main id="main" class="sign-in">
      <form class="panel" onSubmit={submit}>
        <h1>Sign in</h1>
        <p class="soft">
          With an API key of role viewer, operator or admin. At its first start the server writes one to{' '}
          <code>data/admin.key</code>; <code>npx voicefw key create</code> makes more.
        </p>
        <label for="key">API key</label>
        <input
          ref={field}
          id="key"
          name="key"
          type="password"
          autocomplete="current-password"
          placeholder="vf_…"
          spellcheck={false}
          required
          aria-describedby="sign-in-message"
          aria-invalid={message !== null}
        />
        <p id="sign-in-message" class="form-problem" role="alert">
          {message}
        </p>
        <button type="submit" class="primary" disabled={waiting}>
          {waiting ? 'Signing in …' : 'Sign in'}
        </button>
      </form>
    </main>
  )
}

export function signInProblem(thrown: unknown): string {
  if (thrown instanceof ApiProblem && thrown.status === 401) return 'That key is not valid, or was revoked.'
  if (thrown instanceof ApiProblem && thrown.status === 429) return 'Too many wrong keys from here. Wait a little.'
  return problemText(thrown)
}
