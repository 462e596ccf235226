import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Browser } from 'playwright-core'
import type { CallView } from '../../src/decisions/verdict-view.ts'
import { openBrowser, openScreen, type Screen, type ScreenOptions, settlesAt, verdict } from '../fakes/browser.ts'
import { liveCall, track, windows } from '../fakes/calls.ts'
import { storyLive, storyPast } from '../fakes/story.ts'

/** The newest end of a row's line, as an image. */
const lineOf = "document.querySelector('.track-row canvas').toDataURL()"

function synthetic(callSid: string, score: number, endMs: number): object {
  const window = { startMs: endMs - 500, endMs, score, flags: [] }
  return verdict({ callSid, label: 'likely_synthetic', score, window })
}

describe('live calls', () => {
  let browser: Browser
  before(async () => {
    browser = await openBrowser()
  })
  after(() => browser.close())

  const on = async (options: ScreenOptions, look: (screen: Screen) => Promise<void>) => {
    const screen = await openScreen(browser, options)
    try {
      await screen.page.waitForSelector('.connection-live')
      await look(screen)
    } finally {
      await screen.close()
    }
  }
  const one: CallView = liveCall(1, { tracks: [track({ windows: windows([0.4, 0.3, 0.2]) })] })

  it('move with their events: score, label, line, and what is heard now', async () => {
    await on({ prepare: ({ live }) => live.put(one) }, async ({ page, api, complaints }) => {
      await page.waitForSelector('.track-row')
      const before = await page.evaluate(lineOf)
      assert.equal(await page.locator('.cell-score').first().textContent(), '0.12')
      const window = { startMs: 0, endMs: 4500, score: 0.91, flags: ['music'] }
      api.bus.publish('verdict', verdict({ callSid: one.callSid, label: 'likely_synthetic', score: 0.91, window }))
      await page.getByText('0.91').waitFor()
      assert.match((await page.locator('.track-row').first().textContent()) ?? '', /Likely synthetic.*inbound · music/)
      assert.notEqual(await page.evaluate(lineOf), before)
      assert.equal(await page.locator('[data-test=announcer]').getAttribute('aria-live'), 'polite')
      await page.getByText('inbound: now likely synthetic, score 0.91').waitFor({ state: 'attached' })
      assert.deepEqual(complaints, [])
    })
  })

  it('appear when they start and leave for the past list when they end', async () => {
    await on({}, async ({ page, api }) => {
      await page.getByText('No call is live.').waitFor()
      const call = storyLive(3)
      api.live.put(call)
      api.bus.publish('verdict', synthetic(call.callSid, 0.5, 500))
      await page.getByText('1 call · 1 track').waitFor()
      await page.getByText(`···· ${call.from.slice(-3)} → ···· ${call.to.slice(-3)}`).waitFor()
      api.live.calls.delete(call.callSid)
      api.past.calls.push({ ...call, state: 'ended', endedAt: call.startedAt })
      api.bus.publish('verdict', verdict({ callSid: call.callSid, state: 'ended' }))
      await page.getByText('0 calls · 0 tracks').waitFor()
      await page.getByRole('group', { name: 'Past calls, newest first' }).locator('.track-row').waitFor()
    })
  })

  it('lose nothing over a dropped connection: it resumes after the last event seen', async () => {
    await on({ prepare: ({ live }) => live.put(one) }, async ({ page, api, server }) => {
      api.bus.publish('verdict', synthetic(one.callSid, 0.71, 4500))
      await page.getByText('0.71').waitFor()
      await server.restart()
      api.live.calls.clear() // what the page shows next can only come from the resumed events
      api.bus.publish('verdict', synthetic(one.callSid, 0.83, 5000))
      await page.getByText('0.83').waitFor({ state: 'attached' })
    })
  })

  it('stand worst first, hide numbers until asked, and can be narrowed to one label', async () => {
    const prepare: ScreenOptions['prepare'] = ({ live }) =>
      live.put(...Array.from({ length: 7 }, (_, n) => storyLive(n)))
    await on({ prepare }, async ({ page, complaints }) => {
      await page.waitForSelector('.track-row')
      const names = await page.locator('.track-row .badge-text').allTextContents()
      assert.deepEqual(names, [
        'Likely synthetic',
        'Inconclusive',
        'Likely human',
        'Likely human',
        'Likely human',
        'Too little speech',
        'Benign automation',
      ])
      const text = () => page.locator('main').innerText()
      assert.ok(!/\+\d{6}/.test(await text()))
      await page.getByRole('button', { name: 'Numbers' }).click()
      assert.match(await text(), /\+14155550123/)
      await page.getByRole('button', { name: /Inconclusive/ }).click()
      assert.equal(await page.locator('.track-row').count(), 1)
      assert.deepEqual(complaints, [])
    })
  })

  it('stay fluid at 500 tracks and 1000 events a second: 50 rows, frames go on, no event is lost', async () => {
    const calls = Array.from({ length: 500 }, (_, n) => liveCall(n + 1, { startedAtMs: -n * 1000 }))
    await on({ prepare: ({ live }) => live.put(...calls) }, async ({ page, api, complaints }) => {
      await page.getByText('500 calls · 500 tracks').waitFor()
      assert.equal(await page.locator('.track-row').count(), 50)
      await page.evaluate(
        `window.frames_ = []; (function tick(at) { window.frames_.push(at); requestAnimationFrame(tick) })(0)`,
      )
      for (let turn = 0; turn < 20; turn++) {
        for (let n = 0; n < 100; n++) {
          const call = calls[(turn * 100 + n) % 500]
          api.bus.publish('verdict', synthetic(call?.callSid ?? '', 0.8 + 0.001 * turn, 4500 + turn))
        }
        await new Promise((next) => setTimeout(next, 100))
      }
      await page.locator('.count', { hasText: 'Likely synthetic' }).getByText('500').waitFor()
      const gaps = `window.frames_.slice(2).map((at, n) => at - window.frames_[n + 1]).sort((a, b) => a - b)`
      const [median, p95] = (await page.evaluate(
        `(() => { const g = ${gaps}; return [g[g.length >> 1], g[Math.floor(g.length * 0.95)]] })()`,
      )) as number[]
      assert.ok(median !== undefined && median < 50, `median frame ${median} ms`)
      assert.ok(p95 !== undefined && p95 < 250, `95 % of frames within ${p95} ms`)
      assert.equal(await page.locator('.track-row').count(), 50)
      await page.getByRole('button', { name: 'Show 50 more of 450' }).click()
      assert.equal(await page.locator('.track-row').count(), 100)
      assert.deepEqual(complaints, [])
    })
  })
})

describe('past calls', () => {
  let browser: Browser
  before(async () => {
    browser = await openBrowser()
  })
  after(() => browser.close())

  it('are searched, filtered and paged', async () => {
    const prepare: ScreenOptions['prepare'] = ({ past }) => {
      for (let n = 0; n < 40; n++) past.calls.push(storyPast(n))
    }
    const { page, close, complaints } = await openScreen(browser, { prepare })
    try {
      const rows = page.getByRole('group', { name: 'Past calls, newest first' }).locator('.track-row')
      await rows.first().waitFor()
      assert.equal(await rows.count(), 25)
      await page.getByRole('button', { name: 'Older' }).click()
      await page.getByText('Page 2').waitFor()
      await settlesAt(rows, 15)
      await page.getByLabel('How it ended').selectOption('interrupted')
      await settlesAt(rows, 5)
      await page.getByLabel('How it ended').selectOption('past')
      await page.getByLabel('Search past calls').fill('+1415')
      await settlesAt(rows, 13)
      await page.getByLabel('Label', { exact: true }).selectOption('likely_synthetic')
      await settlesAt(rows, 2)
      assert.deepEqual([...new Set(await rows.locator('.badge-text').allTextContents())], ['Likely synthetic'])
      await page.getByLabel('Search past calls').fill('no such number')
      await page.getByText('No past call fits.').waitFor()
      assert.deepEqual(complaints, [])
    } finally {
      await close()
    }
  })
})
