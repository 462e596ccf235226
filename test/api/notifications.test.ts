import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { NotificationsView } from '../../src/api/notifications.ts'
import { OperatingError } from '../../src/core/errors.ts'
import type { DeadLetter } from '../../src/notify/dead-letters.ts'
import { fakeApi } from '../fakes/api.ts'
import { noticeOf } from '../fakes/notices.ts'
import { askJson, request } from '../fakes/people.ts'

const letter: DeadLetter = {
  id: 'soc.evt_7',
  receiver: 'soc',
  notice: noticeOf(7, 'case/c1', { data: { from: '12025550123' } }),
  why: 'answered 400',
  tries: 5,
  diedAt: '2026-01-01T00:10:00.000Z',
}
const courier = {
  name: 'soc',
  kind: 'webhook',
  state: 'down',
  waiting: 3,
  oldestAt: '2026-01-01T00:00:00.000Z',
  delivered: 9,
  lastError: 'answered 503',
} as const

function api() {
  const resent: string[] = []
  const notifications: NotificationsView = {
    views: () => [courier],
    deadLetters: () => [letter],
    resend: async (id) => {
      if (id !== letter.id) throw new OperatingError('not_found', 'no dead letter of that id')
      resent.push(id)
      return letter
    },
  }
  const made = fakeApi({ notifications })
  const as = (role: 'viewer' | 'operator') => ({ authorization: `Bearer ${made.keys.create(role, role).key}` })
  return { ...made, resent, as }
}

const resendPath = '/v1/notifications/dead/soc.evt_7/resend'

describe('/v1/notifications', () => {
  it('shows a viewer how each receiver stands', async () => {
    const { routes, as } = api()
    const { status, body } = await askJson(routes, request('/v1/notifications', { header: as('viewer') }))
    assert.deepEqual([status, body], [200, { receivers: [courier] }])
  })

  it('shows an operator what was given up and why, without its data', async () => {
    const { routes, as } = api()
    const { body } = await askJson(routes, request('/v1/notifications/dead', { header: as('operator') }))
    const { data, ...notice } = letter.notice
    assert.deepEqual(body, { dead: [{ ...letter, notice }] })
    assert.ok(data)
    const viewer = await askJson(routes, request('/v1/notifications/dead', { header: as('viewer') }))
    assert.equal(viewer.status, 403)
  })

  it('sends one again for an operator, audited; 404 for one that is not there', async () => {
    const { routes, as, resent, rows } = api()
    const post = (path: string, role: 'viewer' | 'operator') =>
      askJson(routes, request(path, { method: 'POST', header: as(role) }))
    assert.equal((await post(resendPath, 'viewer')).status, 403)
    assert.equal((await post(resendPath, 'operator')).status, 202)
    assert.deepEqual(resent, ['soc.evt_7'])
    const [denied, done] = rows
    assert.equal(denied?.action, 'access.denied')
    assert.deepEqual([done?.action, done?.detail], ['notification.resend', 'soc.evt_7'])
    const unknown = await post('/v1/notifications/dead/soc.evt_8/resend', 'operator')
    assert.deepEqual([unknown.status, unknown.body['code']], [404, 'not_found'])
  })
})
