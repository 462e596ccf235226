/**
 * Says label changes aloud to screen readers, politely: at most one sentence every two seconds, the worst of those that
 * happened, with how many more there were. Browser.
 */
import { useEffect, useState } from 'preact/hooks'
import type { LabelChange, LiveStore } from './live-store.ts'
import { useTold } from './told.ts'
import { labelOrder, labelWords, scoreText, shortSid } from './wording.ts'

const speakEveryMs = 2000

/** The number of live tracks that sound synthetic, in the title of the browser's tab. */
export function TitleCount({ store }: { store: LiveStore }) {
  useTold(store.subscribe)
  const synthetic = store.counts().likely_synthetic
  useEffect(() => {
    document.title = synthetic === 0 ? 'voicefw' : `(${synthetic}) voicefw`
    return () => {
      document.title = 'voicefw'
    }
  }, [synthetic])
  return null
}

export function Announcer({ store }: { store: LiveStore }) {
  const [sentence, say] = useState('')
  useEffect(() => {
    let waiting: LabelChange[] = []
    let timer: ReturnType<typeof setTimeout> | undefined
    const speak = () => {
      timer = undefined
      const [worst] = waiting.sort((a, b) => labelOrder.indexOf(a.label) - labelOrder.indexOf(b.label))
      if (worst) say(sentenceOf(worst, waiting.length - 1))
      waiting = []
    }
    store.onLabelChange = (change) => {
      waiting.push(change)
      timer ??= setTimeout(speak, speakEveryMs)
    }
    return () => {
      store.onLabelChange = () => {}
      clearTimeout(timer)
    }
  }, [store])
  return (
    <p class="unseen" aria-live="polite" data-test="announcer">
      {sentence}
    </p>
  )
}

function sentenceOf(change: LabelChange, others: number): string {
  const more = others === 0 ? '' : ` ${others} more ${others === 1 ? 'verdict' : 'verdicts'} changed.`
  const name = labelWords[change.label].name.toLowerCase()
  return `Call ${shortSid(change.callSid)} ${change.track}: now ${name}, score ${scoreText(change.score)}.${more}`
}
