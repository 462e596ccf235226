/** Traffic per route, most attempts first, and the choice of routes that the charts draw. Browser. */
import { useState } from 'preact/hooks'
import type { RouteTraffic } from './fraud-shapes.ts'
import { countText } from './fraud-wording.ts'
import { pickedMax } from './traffic-page.tsx'
import { duration, percent } from './wording.ts'

const shownStep = 25

export function routeKey({ ingress, egress }: Pick<RouteTraffic, 'ingress' | 'egress'>): string {
  return `${ingress}>${egress}`
}

export function routeName(key: string): string {
  const [ingress = '', egress = ''] = key.split('>')
  return [ingress || '–', egress || '–'].join(' → ')
}

interface RouteTableProps {
  readonly routes: readonly RouteTraffic[]
  readonly picked: readonly string[]
  readonly onPick: (route: RouteTraffic, on: boolean) => void
}

export function RouteTable({ routes, picked, onPick }: RouteTableProps) {
  const [shown, setShown] = useState(shownStep)
  const isFull = picked.length >= pickedMax
  return (
    <section class="panel routes-panel" aria-label="By route">
      <table class="records routes">
        <caption>
          <h3>By route</h3>
          <span class="soft small"> tick up to {pickedMax} to see them in the charts</span>
        </caption>
        <thead>
          <tr>
            <th scope="col">Route</th>
            <th scope="col">Attempts</th>
            <th scope="col">ASR</th>
            <th scope="col">ACD</th>
            <th scope="col">Short calls</th>
            <th scope="col">Given up</th>
            <th scope="col">Busy</th>
          </tr>
        </thead>
        <tbody>
          {routes.slice(0, shown).map((route) => {
            const key = routeKey(route)
            const isPicked = picked.includes(key)
            return (
              <tr key={key} data-route={key}>
                <th scope="row" data-name="Route">
                  <label class="pick">
                    <input
                      type="checkbox"
                      checked={isPicked}
                      disabled={isFull && !isPicked}
                      onChange={(event) => onPick(route, event.currentTarget.checked)}
                    />
                    {routeName(key)}
                  </label>
                </th>
                <td data-name="Attempts">{countText(route.attempts)}</td>
                <td data-name="ASR">{shareText(route.asr)}</td>
                <td data-name="ACD">{route.acdMs === null ? '–' : duration(route.acdMs)}</td>
                <td data-name="Short calls">{shareText(route.shortShare)}</td>
                <td data-name="Given up">{partText(route.cancelled, route.attempts)}</td>
                <td data-name="Busy">{partText(route.busy, route.attempts)}</td>
              </tr>
            )
          })}
        </tbody>
      </table>
      {routes.length > shown ? (
        <button type="button" class="more" onClick={() => setShown(shown + shownStep)}>
          Show {Math.min(shownStep, routes.length - shown)} more of {routes.length - shown}
        </button>
      ) : null}
    </section>
  )
}

function shareText(share: number | null): string {
  return share === null ? '–' : percent(share)
}

function partText(part: number, whole: number): string {
  return whole === 0 ? '–' : percent(part / whole)
}
