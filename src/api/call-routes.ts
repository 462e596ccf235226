/** The URLs of voice calls and of what the policy did to them; part of the table in routes.ts. Pure. */
import { z } from 'zod'
import { type CallActionsResource, handsOffBody } from './actions.ts'
import { type Calls, callsQuery } from './calls.ts'
import { clearNumbersQuery } from './clear-numbers.ts'
import { type ApiRoute, route } from './route-table.ts'
import { actionShape, callListShape, callShape, handsOffShape } from './shapes.ts'

const stored = ['storage_unavailable', 'storage_rejected'] as const
const bodyBytesMax = 4096

export function callRoutes({ calls, actions }: { calls: Calls; actions: CallActionsResource }): ApiRoute[] {
  return [
    route('GET', '/v1/calls', 'viewer', 'Live and past calls, newest first', {
      showsNumbers: true,
      reveals: true,
      query: callsQuery,
      answers: { 200: callListShape },
      problems: stored,
      answer: (request) => calls.list(request),
    }),
    route('GET', '/v1/calls/:callSid', 'viewer', 'A call with all windows and what the policy did', {
      showsNumbers: true,
      reveals: true,
      query: z.strictObject(clearNumbersQuery),
      answers: { 200: callShape },
      problems: stored,
      answer: (request) => calls.get(request),
    }),
    route('POST', '/v1/calls/:callSid/actions/:id/undo', 'operator', 'Takes an action of the policy back', {
      bodyBytesMax,
      answers: { 200: actionShape },
      problems: ['conflict'],
      answer: (request, identity) => actions.undo(request, identity),
    }),
    route('POST', '/v1/calls/:callSid/hands-off', 'operator', 'Nothing more shall be done to the call, or go on', {
      body: { schema: handsOffBody },
      bodyBytesMax,
      answers: { 200: z.object({ handsOff: handsOffShape.nullable() }) },
      answer: (request, identity) => actions.handsOff(request, identity),
    }),
  ]
}
