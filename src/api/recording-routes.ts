/** The URLs of kept audio; part of the table in routes.ts. Pure. */
import { z } from 'zod'
import { keepBody, type RecordingsResource, recordingsQuery } from './recordings.ts'
import { type ApiRoute, route } from './route-table.ts'
import { count, time } from './shapes.ts'

const bodyBytesMax = 4096

const keptShape = z.object({
  tracks: z.array(
    z.object({
      callSid: z.string(),
      id: z.string(),
      track: z.enum(['inbound', 'outbound']),
      startedAt: time,
      bytes: count,
      live: z.boolean(),
    }),
  ),
  total: count,
})

export function recordingRoutes(recordings: RecordingsResource): ApiRoute[] {
  const path = '/v1/calls/:callSid/audio'
  const scope = 'audio:read'
  return [
    route('GET', '/v1/audio', 'viewer', 'Tracks that are kept as audio, newest first', {
      scope,
      query: recordingsQuery,
      answers: { 200: keptShape },
      answer: (request) => recordings.list(request),
    }),
    route('GET', path, 'viewer', 'What is kept of a call as audio', {
      scope,
      answers: { 200: keptShape },
      answer: (request) => recordings.ofCall(request),
    }),
    route(
      'GET',
      `${path}/:id`,
      'viewer',
      'A kept track as WAV, mu-law; X-Voicefw-Complete: false when it was cut off',
      {
        scope,
        answers: { 200: { mediaTypes: ['audio/wav'], description: 'The track, as far as it is written' } },
        problems: ['capacity_full', 'recording_unreadable'],
        answer: (request, identity) => recordings.hear(request, identity),
      },
    ),
    route('PUT', path, 'operator', 'Whether audio of a call may be kept; false also erases what is there', {
      body: { schema: keepBody },
      bodyBytesMax,
      answers: { 200: z.object({ keep: z.boolean(), erased: count }) },
      problems: ['conflict'],
      answer: (request, identity) => recordings.choose(request, identity),
    }),
    route('DELETE', path, 'admin', 'Erases what is kept of a call, its key first', {
      bodyBytesMax,
      answers: { 200: z.object({ erased: count }) },
      answer: (request, identity) => recordings.erase(request, identity),
    }),
  ]
}
