/** The URLs of number fraud, with who may use them; part of the table in api/routes.ts. Main thread. */
import type { Identity } from '../access/authenticate.ts'
import type { Role } from '../access/roles.ts'
import { caseActions } from '../decisions/case-book.ts'
import type { HttpAnswer, HttpRequest, Route } from '../http/exchange.ts'
import type { FraudCases } from './fraud-cases.ts'
import type { FraudQuestions } from './fraud-questions.ts'

export interface FraudParts {
  readonly cases: FraudCases
  readonly questions: FraudQuestions
  /** Of `POST /v1/score/cdr`. */
  readonly scoreBytesMax: number
}

type Answer = (request: HttpRequest, identity: Identity) => HttpAnswer | Promise<HttpAnswer>

const small = { bodyBytesMax: 16_384 } as const

export function fraudRoutes(gate: { role(needed: Role, answer: Answer): Route['answer'] }, parts: FraudParts): Route[] {
  const { cases, questions, scoreBytesMax } = parts
  return [
    { method: 'GET', pattern: '/v1/cases', answer: gate.role('viewer', (request) => cases.list(request)) },
    { method: 'GET', pattern: '/v1/cases/:id', answer: gate.role('viewer', (request) => cases.get(request)) },
    ...caseActions.map((act) => ({
      method: 'POST' as const,
      pattern: `/v1/cases/:id/${act}`,
      ...small,
      answer: gate.role('operator', (request, identity) => cases.act(request, identity, act)),
    })),
    {
      method: 'POST',
      pattern: '/v1/decisions',
      ...small,
      answer: gate.role('ingest', (request) => questions.decide(request)),
    },
    {
      method: 'GET',
      pattern: '/v1/numbers/:e164',
      answer: gate.role('viewer', (request) => questions.number(request)),
    },
    {
      method: 'POST',
      pattern: '/v1/score/cdr',
      bodyBytesMax: scoreBytesMax,
      answer: gate.role('viewer', (request) => questions.score(request)),
    },
  ]
}
