/** The URLs of notifications, and the socket of events; part of the table in routes.ts. Pure. */
import { z } from 'zod'
import { type EventSocketState, eventSocketRoute } from './event-socket.ts'
import { type EventSubscribers, eventsQuery } from './event-subscribers.ts'
import type { Notifications } from './notifications.ts'
import { type ApiRoute, type ApiSocket, route, socket } from './route-table.ts'
import { count, time } from './shapes.ts'

const receiverShape = z.object({
  name: z.string(),
  kind: z.enum(['webhook', 'slack', 'mail']),
  state: z.enum(['idle', 'sending', 'down', 'quiet']),
  waiting: count,
  oldestAt: time.nullable(),
  delivered: count,
  lastError: z.string().nullable(),
})

const letterShape = z.object({
  id: z.string(),
  receiver: z.string(),
  why: z.string(),
  tries: count,
  diedAt: time,
  notice: z.looseObject({ id: z.string(), type: z.string(), about: z.string(), at: time }),
})

export function notifyRoutes(notifications: Notifications): ApiRoute[] {
  const path = '/v1/notifications'
  return [
    route('GET', path, 'viewer', 'How each receiver of notifications stands', {
      answers: { 200: z.object({ receivers: z.array(receiverShape) }) },
      answer: () => notifications.list(),
    }),
    route('GET', `${path}/dead`, 'operator', 'Notifications that were given up', {
      answers: { 200: z.object({ dead: z.array(letterShape) }) },
      answer: () => notifications.dead(),
    }),
    route('POST', `${path}/dead/:id/resend`, 'operator', 'Sends one of them again', {
      bodyBytesMax: 4096,
      answers: { 202: letterShape },
      problems: ['spool_full'],
      answer: (request, identity) => notifications.resend(request, identity),
    }),
  ]
}

export function eventSocket(subscribers: EventSubscribers): ApiSocket {
  return socket<EventSocketState>(eventSocketRoute(subscribers), 'viewer', 'Events as they happen, resumable', {
    reveals: true,
    query: eventsQuery,
    problems: ['capacity_full'],
  })
}
