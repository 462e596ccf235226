/**
 * A label as text, colour and shape together, never by colour alone, and the small pictures of the page. Browser.
 */
import type { ComponentChildren } from 'preact'
import type { Label } from '../decisions/verdict-view.ts'
import type { ColourName } from './colours.ts'
import { labelWords } from './wording.ts'

const tones: Readonly<Record<Label, 'synthetic' | 'human' | 'inconclusive' | 'insufficient' | 'benign'>> = {
  likely_synthetic: 'synthetic',
  likely_human: 'human',
  inconclusive: 'inconclusive',
  insufficient_speech: 'insufficient',
  benign_automation: 'benign',
}

export function toneOf(
  label: Label,
): Extract<ColourName, 'synthetic' | 'human' | 'inconclusive' | 'insufficient' | 'benign'> {
  return tones[label]
}

/** A 16 x 16 picture drawn in the text's colour. */
export function Picture({ children }: { children: ComponentChildren }) {
  return (
    <svg class="picture" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
      {children}
    </svg>
  )
}

const shapes: Readonly<Record<Label, ComponentChildren>> = {
  likely_synthetic: <path d="M8 1.8 14.8 13.8H1.2ZM8 6.2v3.6M8 11.8v.1" />,
  likely_human: (
    <path d="M8 7.6a2.9 2.9 0 1 0 0-5.8 2.9 2.9 0 0 0 0 5.8ZM2.4 14.2c.5-3 2.7-4.6 5.6-4.6s5.1 1.6 5.6 4.6Z" />
  ),
  inconclusive: (
    <>
      <circle cx="8" cy="8" r="6.2" />
      <path d="M8 1.8a6.2 6.2 0 0 1 0 12.4Z" class="filled" />
    </>
  ),
  insufficient_speech: <circle cx="8" cy="8" r="6.2" stroke-dasharray="2.4 2.470" />,
  benign_automation: <path d="M2 2.8h12v10.4H2ZM6.4 5.6v4.8L10.6 8Z" />,
}

export function LabelPicture({ label }: { label: Label }) {
  return <Picture>{shapes[label]}</Picture>
}

export function LabelBadge({ label, provisional, large }: { label: Label; provisional: boolean; large?: boolean }) {
  const words = labelWords[label]
  const firm = !provisional || label === 'insufficient_speech'
  return (
    <span
      class={`badge tone-${toneOf(label)}${large ? ' large' : ''}${firm ? '' : ' provisional'}`}
      title={words.meaning}
    >
      <LabelPicture label={label} />
      <span class="badge-text">{words.name}</span>
      {firm ? null : <span class="badge-note">provisional</span>}
    </span>
  )
}
