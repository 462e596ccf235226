/**
 * Models: what judges, its versions, what is tried beside it and how far it agrees, and whether scores and features
 * drift. Admins change it here; everybody else sees the same without the buttons. Browser.
 */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { ModelView, VersionView } from '../worker/model-view.ts'
import { api, problemText } from './api-client.ts'
import { useAsked } from './asked.ts'
import { countText } from './fraud-wording.ts'
import type { House } from './house.ts'
import { DriftPanel } from './model-drift.tsx'
import { ShadowPanel } from './model-shadow.tsx'
import { localTime } from './wording.ts'

const askAgainMs = 5000

export const modelNames: Readonly<Record<string, string>> = { voice: 'Voice', flash_call: 'Flash calls' }

/** What an admin may do, from the buttons to the request. */
export type Change = (ask: () => Promise<ModelView>, done: string) => void

export function ModelsPage({ house }: { house: House }) {
  const title = useRef<HTMLHeadingElement>(null)
  useEffect(() => title.current?.focus(), [])
  const { value, problem, again } = useAsked('models', () => api.models(), askAgainMs)
  const [told, setTold] = useState<{ readonly text: string; readonly isProblem: boolean } | null>(null)
  const [isWaiting, setWaiting] = useState(false)
  const change: Change = (ask, done) => {
    setWaiting(true)
    setTold(null)
    ask()
      .then(
        () => setTold({ text: done, isProblem: false }),
        (thrown: unknown) => setTold({ text: problemText(thrown), isProblem: true }),
      )
      .finally(() => {
        setWaiting(false)
        again()
      })
  }
  return (
    <>
      <h1 class="unseen" ref={title} tabIndex={-1}>
        Models
      </h1>
      {problem === null ? null : (
        <p class="nothing" role="alert">
          Models cannot be shown: {problem}
        </p>
      )}
      {value === null && problem === null ? <p class="nothing">Asking for the models …</p> : null}
      <p class={`model-told ${told?.isProblem ? 'form-problem' : ''}`} role={told?.isProblem ? 'alert' : 'status'}>
        {isWaiting ? 'Working on it …' : (told?.text ?? '')}
      </p>
      {value?.models.map((model) => (
        <ModelSection
          key={model.name}
          model={model}
          isAdmin={house.who.role === 'admin'}
          isWaiting={isWaiting}
          change={change}
        />
      ))}
    </>
  )
}

interface ModelProps {
  readonly model: ModelView
  readonly isAdmin: boolean
  readonly isWaiting: boolean
  readonly change: Change
}

function ModelSection(props: ModelProps) {
  const { model } = props
  const { name, serving, problem, lastSwap, shadow, drift } = model
  return (
    <section class="model" aria-labelledby={`model-${name}`} data-model={name}>
      <div class="section-head">
        <h2 id={`model-${name}`}>{modelNames[name] ?? name}</h2>
        <p class="soft">
          <strong class="model-serving">{serving}</strong> judges new calls
          {lastSwap === null ? '' : `, since ${localTime(lastSwap.at)} (before: ${lastSwap.from})`}
        </p>
      </div>
      {problem === null ? null : (
        <p class="model-problem" role="alert">
          {problem}
        </p>
      )}
      <div class="model-panels">
        <Versions {...props} />
        <ShadowPanel model={model} shadow={shadow} />
        <DriftPanel drift={drift} />
      </div>
    </section>
  )
}

function Versions({ model, isAdmin, isWaiting, change }: ModelProps) {
  const { name, versions, previous, candidate, active } = model
  const rollback = () =>
    change(() => api.rollback(name), `${name}/${previous} judges new calls again; live ones keep their model.`)
  const endTrial = () => change(() => api.tryModel(name, null), 'Nothing is tried beside it any more.')
  return (
    <section class="panel model-panel" aria-label={`Versions of ${name}`}>
      <h3>Versions</h3>
      <table class="figures-table model-versions">
        <thead>
          <tr>
            <th scope="col">Version</th>
            <th scope="col">Standing</th>
            <th scope="col" class="right wide">
              Parameters
            </th>
            {model.tracks === null ? null : (
              <th scope="col" class="right">
                Live
              </th>
            )}
            {isAdmin ? (
              <th scope="col">
                <span class="unseen">Change</span>
              </th>
            ) : null}
          </tr>
        </thead>
        <tbody>
          {versions.map((version) => (
            <VersionRow key={version.version} {...{ model, version, isAdmin, isWaiting, change }} />
          ))}
        </tbody>
      </table>
      {isAdmin ? (
        <p class="model-acts">
          <button type="button" disabled={previous === null || isWaiting} onClick={rollback}>
            Roll back{previous === null ? '' : ` to ${previous}`}
          </button>
          {candidate === null || candidate === active ? null : (
            <button type="button" disabled={isWaiting} onClick={endTrial}>
              End the trial of {candidate}
            </button>
          )}
        </p>
      ) : (
        <p class="soft small">Admins activate, roll back and try versions here.</p>
      )}
    </section>
  )
}

function VersionRow({ model, version: it, isAdmin, isWaiting, change }: ModelProps & { version: VersionView }) {
  const { name, tracks } = model
  const { version, parameters, sha256, problem } = it
  const standing = standingOf(model, version)
  const label = `${name}/${version}`
  const activate = () =>
    change(() => api.activate(name, version), `${label} judges new calls; live ones keep their model.`)
  const tryIt = () => change(() => api.tryModel(name, version), `${label} is tried beside the active version.`)
  const isFree = problem === null && version !== model.active
  return (
    <tr data-version={version}>
      <th scope="row">
        <span class="mono" title={sha256 === null ? undefined : `sha256 ${sha256}`}>
          {version}
        </span>
        {problem === null ? null : <span class="model-problem small">{problem}</span>}
      </th>
      <td>{standing === '' ? <span class="soft">kept</span> : standing}</td>
      <td class="right wide">{parameters === null ? '' : countText(parameters)}</td>
      {tracks === null ? null : <td class="right">{countText(tracks[label] ?? 0)}</td>}
      {isAdmin ? (
        <td>
          <span class="model-row-acts">
            {isFree ? (
              <button type="button" disabled={isWaiting} onClick={activate} aria-label={`Activate ${label}`}>
                Activate
              </button>
            ) : null}
            {isFree && version !== model.candidate ? (
              <button type="button" disabled={isWaiting} onClick={tryIt} aria-label={`Try ${label} beside it`}>
                Try
              </button>
            ) : null}
          </span>
        </td>
      ) : null}
    </tr>
  )
}

function standingOf({ name, serving, active, previous, candidate }: ModelView, version: string): string {
  const judges = serving === `${name}/${version}`
  const words = [
    version === active ? (judges ? 'active' : 'wanted') : judges ? 'judges' : '',
    version === candidate ? 'candidate' : '',
    version === previous ? 'before' : '',
  ]
  return words.filter((word) => word !== '').join(', ')
}
