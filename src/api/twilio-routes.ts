/** What ingest/ serves behind Twilio's signature, for the OpenAPI document only. Pure. */
import type { ForeignRoute } from './route-table.ts'

const text = (mediaType: string, description: string) => ({ mediaTypes: [mediaType], description })
const form = { mediaTypes: ['application/x-www-form-urlencoded', 'application/json'] }
const signature = ['signature_missing', 'signature_invalid', 'account_unknown'] as const
const webhook = { method: 'POST', role: 'twilio', body: form, problems: signature } as const

export const twilioRoutes: readonly ForeignRoute[] = [
  {
    ...{ ...webhook, pattern: '/twilio/voice', summary: 'What to do with a call' },
    answers: { 200: text('text/xml; charset=utf-8', 'TwiML') },
  },
  {
    ...{ ...webhook, pattern: '/twilio/stream-status', summary: 'Life of a media stream' },
    answers: { 204: text('', 'Taken') },
  },
  {
    ...{ ...webhook, pattern: '/twilio/call-status', summary: 'Life of a call; also a call record' },
    answers: { 204: text('', 'Taken') },
    problems: [...signature, 'spool_full', 'capacity_full'],
  },
  {
    ...{ method: 'GET', pattern: '/twilio/media/:token', role: 'twilio', isSocket: true },
    summary: 'Media Streams of a call',
    answers: {},
    problems: [...signature, 'token_invalid', 'capacity_full'],
  },
]
