/**
 * Says label changes and new fraud cases aloud to screen readers, politely: at most one sentence every two seconds, the
 * worst of what happened, with how much more there was. Browser.
 */
import { useEffect, useState } from 'preact/hooks'
import type { CaseView } from '../decisions/case-view.ts'
import { kindWords, subjectText } from './fraud-wording.ts'
import type { House } from './house.ts'
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

interface Announcement {
  /** Lower is said first. */
  readonly rank: number
  readonly text: string
}

export function Announcer({ house }: { house: House }) {
  const [sentence, say] = useState('')
  useEffect(() => {
    let waiting: Announcement[] = []
    let timer: ReturnType<typeof setTimeout> | undefined
    const speak = () => {
      timer = undefined
      const [worst] = waiting.sort((a, b) => a.rank - b.rank)
      if (worst) say(`${worst.text}${othersText(waiting.length - 1)}`)
      waiting = []
    }
    const queue = (announcement: Announcement) => {
      waiting.push(announcement)
      timer ??= setTimeout(speak, speakEveryMs)
    }
    house.store.onLabelChange = (change) => {
      queue({ rank: labelOrder.indexOf(change.label), text: labelSentence(change) })
    }
    // A new case is news before any label.
    house.cases.onOpened = (it) => queue({ rank: -it.score, text: caseSentence(it) })
    return () => {
      house.store.onLabelChange = () => {}
      house.cases.onOpened = () => {}
      clearTimeout(timer)
    }
  }, [house])
  return (
    <p class="unseen" aria-live="polite" data-test="announcer">
      {sentence}
    </p>
  )
}

function othersText(others: number): string {
  return others === 0 ? '' : ` ${others} more ${others === 1 ? 'change' : 'changes'}.`
}

function labelSentence(change: LabelChange): string {
  const name = labelWords[change.label].name.toLowerCase()
  return `Call ${shortSid(change.callSid)} ${change.track}: now ${name}, score ${scoreText(change.score)}.`
}

function caseSentence({ kind, subject, score }: CaseView): string {
  const name = kindWords[kind].name.toLowerCase()
  return `New fraud case: ${name}, ${subjectText(subject, false)}, score ${scoreText(score)}.`
}
