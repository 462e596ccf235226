import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Browser } from 'playwright-core'
import { openBrowser, openScreen, type Screen, type ScreenOptions, settlesAt } from '../fakes/browser.ts'
import { fillDesk, storyQuality, storyTraffic } from '../fakes/fraud-story.ts'

describe('the traffic page', () => {
  let browser: Browser
  before(async () => {
    browser = await openBrowser()
  })
  after(() => browser.close())

  const on = async (options: ScreenOptions, look: (screen: Screen) => Promise<void>) => {
    const screen = await openScreen(browser, { fraud: fillDesk, hash: '#/traffic', ...options })
    try {
      await look(screen)
      assert.deepEqual(screen.complaints, [])
    } finally {
      await screen.close()
    }
  }

  it('plots attempts, ASR, ACD and short calls, and tells them per route', async () => {
    await on({}, async ({ page }) => {
      await settlesAt(page.locator('.charts canvas'), 4)
      assert.deepEqual(await page.locator('.charts h3').allTextContents(), ['Attempts', 'ASR', 'ACD', 'Short calls'])
      const row = await page.locator('[data-route="trunk-d>trunk-b"]').innerText()
      assert.match(row, /trunk-d → trunk-b\s+540\s+12 %\s+\d:\d\d\s+8 %\s+20 %\s+6 %/)
    })
  })

  it('draws the ticked routes beside all traffic, attempts without it, and keeps them in the address', async () => {
    const asked: string[] = []
    const fraud: ScreenOptions['fraud'] = (desk) => {
      fillDesk(desk)
      desk.traffic = (query) => {
        asked.push(`${query.get('ingress')}>${query.get('egress')}`)
        return storyTraffic(query)
      }
    }
    await on({ fraud }, async ({ page }) => {
      await page.getByLabel('trunk-a → trunk-c').check()
      await settlesAt(page.locator('.charts-legend li'), 2)
      assert.deepEqual(await page.locator('.charts-legend li').allInnerTexts(), ['all routes', 'trunk-a → trunk-c'])
      assert.ok(asked.includes('trunk-a>trunk-c'))
      const chart = page.getByRole('img', { name: /^ASR/ })
      await chart.focus()
      await page.keyboard.press('End')
      await page
        .getByText(/^\d\d:\d\d: all routes \d+ % · trunk-a → trunk-c \d+ %$/)
        .first()
        .waitFor()
      await page.getByRole('img', { name: /^Attempts/ }).focus()
      await page.keyboard.press('End')
      await page.getByText(/^\d\d:\d\d: trunk-a → trunk-c \d+$/).waitFor()
      await page.reload()
      await settlesAt(page.locator('.charts-legend li'), 2)
      assert.equal(await page.getByLabel('trunk-a → trunk-c').isChecked(), true)
    })
  })

  it('lets four routes be ticked at most', async () => {
    const fraud: ScreenOptions['fraud'] = (desk) => {
      desk.traffic = (query) => {
        const answer = storyTraffic(query)
        const [route] = answer.routes
        if (route === undefined || query.has('ingress')) return answer
        return { ...answer, routes: Array.from({ length: 6 }, (_, n) => ({ ...route, ingress: `in-${n}` })) }
      }
    }
    await on({ fraud }, async ({ page }) => {
      for (let n = 0; n < 4; n++) {
        await page.getByLabel(`in-${n} → trunk-b`).check()
        await settlesAt(page.locator('.charts-legend li'), n + 2)
      }
      assert.equal(await page.getByLabel('in-4 → trunk-b').isDisabled(), true)
      await page.getByLabel('in-0 → trunk-b').uncheck()
      await settlesAt(page.locator('.charts-legend li'), 4)
      assert.equal(await page.getByLabel('in-4 → trunk-b').isDisabled(), false)
    })
  })

  it('asks for the span and the source that were chosen', async () => {
    const asked: URLSearchParams[] = []
    const fraud: ScreenOptions['fraud'] = (desk) => {
      fillDesk(desk)
      desk.traffic = (query) => {
        asked.push(query)
        return storyTraffic(query)
      }
    }
    await on({ fraud }, async ({ page }) => {
      await page.getByLabel('Span of time').selectOption('24h')
      await page.getByText('per 15 min').waitFor()
      await page.getByLabel('Source', { exact: true }).selectOption('twilio')
      await page.waitForTimeout(300)
      const last = asked.at(-1)
      assert.equal(last?.get('source'), 'twilio')
      assert.equal(Number(last?.get('to')) - Number(last?.get('from')), 86_400_000)
      assert.equal(last?.get('step'), '900')
    })
  })

  it('counts each defect of each source, with its examples', async () => {
    await on({}, async ({ page }) => {
      const panel = page.locator('[data-source=freeswitch]')
      const text = await panel.innerText()
      assert.match(text, /Records\s+91,240/)
      assert.match(text, /who released is not told\s+2,410 2\.6 %/)
      assert.match(text, /rejected: field missing\s+7 < 0\.1 %/)
      await panel.getByText('rejected: field missing').click()
      await panel.getByText('to: variables.sip_to_user').waitFor()
      assert.match(await page.locator('[data-source=twilio]').innerText(), /Nothing odd was seen/)
    })
  })

  it('tells apart a span without calls from a house without records', async () => {
    const empty = { points: [], routes: [] }
    const fraud: ScreenOptions['fraud'] = (desk) => {
      desk.quality = storyQuality()
      desk.traffic = (query) => ({ ...storyTraffic(query), ...empty })
    }
    await on({ fraud }, async ({ page }) => {
      await page.getByText('No call began in this span.').waitFor()
      assert.equal(await page.locator('.feeding').count(), 0)
    })
    await on({ fraud: () => {} }, async ({ page }) => {
      await page.locator('.feeding').waitFor()
    })
  })
})
