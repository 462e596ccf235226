/**
 * What a case is about, and which subjects lie within which: a number in its ranges, a destination on its route.
 * Narrow to broad as in `keyKinds`. Any thread.
 */
import type { CallEvent } from '../features/call-event.ts'
import { keyKinds, kindOf } from '../features/call-windows.ts'
import { leadingChars, rangeChars } from '../wire/number-token.ts'

export const subjectTypes = ['number', 'range', 'route', 'route_destination', 'called_number'] as const
export type SubjectType = (typeof subjectTypes)[number]

export interface Subject {
  readonly type: SubjectType
  /** Digits of a number; leading digits of a range; a trunk; `trunk>digits`. */
  readonly value: string
}

/** How broad a subject is; those of one call contain one another in this order. */
export const breadth: readonly number[] = [0, 1, 2, 3, 0, 4, 5]

/** The subject that a call has at a kind of key. */
export function subjectOf(kind: number, event: CallEvent, destinationDigits: number): Subject {
  if (kind === kindOf.number) return { type: 'number', value: event.from }
  if (kind === kindOf.called_number) return { type: 'called_number', value: event.to }
  if (kind === kindOf.route) return { type: 'route', value: event.route }
  if (kind === kindOf.route_destination) {
    const destination = event.to.slice(0, leadingChars(event.to, destinationDigits))
    return { type: 'route_destination', value: `${event.route}>${destination}` }
  }
  return { type: 'range', value: event.from.slice(0, rangeChars(event.from, kind - kindOf.range3 + 3)) }
}

export function subjectKey(subject: Subject): string {
  return `${subject.type}:${subject.value}`
}

/** All broader subjects of the call. */
export function broaderSubjects(kind: number, event: CallEvent, slots: Int32Array, digits: number): string[] {
  const out: string[] = []
  for (let other = 0; other < keyKinds.length; other++) {
    if (breadth[other]! > breadth[kind]! && slots[other]! >= 0) {
      out.push(subjectKey(subjectOf(other, event, digits)))
    }
  }
  return out
}
