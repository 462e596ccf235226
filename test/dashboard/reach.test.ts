import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Browser } from 'playwright-core'
import { openBrowser, openScreen, type Screen, type ScreenOptions } from '../fakes/browser.ts'
import { fillDesk } from '../fakes/fraud-story.ts'
import { eventfulCall, storyLive, storyPast } from '../fakes/story.ts'

/**
 * Every visible piece of text whose contrast (WCAG 2.2, 1.4.3) against what lies behind it is below 4.5. Backgrounds
 * are composed over all ancestors, opacity of ancestors is taken into the text's colour.
 */
const faintTexts = `(() => {
  const parse = (text) => {
    const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number)
    if (!text.startsWith('rgb')) throw new Error('colour ' + text)
    return [r, g, b, a]
  }
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1]
  const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  const light = (c) => c.slice(0, 3).map((v) => linear(v / 255))
    .reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0)
  const faint = []
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  let checked = 0
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim()
    const element = walker.currentNode.parentElement
    if (text === '' || element.closest('script, style, noscript, .unseen, option')) continue
    if (!element.checkVisibility()) continue
    if (element.closest('.switch-name') && element.closest('.switch-name').offsetWidth <= 1) continue
    const chain = []
    for (let at = element; at; at = at.parentElement) chain.unshift(at)
    let back = [255, 255, 255, 1], opacity = 1
    for (const at of chain) {
      const style = getComputedStyle(at)
      back = over(parse(style.backgroundColor), back)
      opacity *= Number(style.opacity)
    }
    const [r, g, b, a] = parse(getComputedStyle(element).color)
    const [x, y] = [light(over([r, g, b, a * opacity], back)), light(back)].sort((p, q) => q - p)
    const ratio = (x + 0.05) / (y + 0.05)
    checked += 1
    if (ratio < 4.5) faint.push(text.slice(0, 40) + ' ' + ratio.toFixed(2))
  }
  return { checked, faint: [...new Set(faint)] }
})()`

/** Texts of rows that are wider than their place. */
const cutTexts = `[...document.querySelectorAll('.track-row, .case-row, .track-row > *, .case-row > *, .row-heads > *')]
  .filter((element) => element.scrollWidth > element.clientWidth && element.clientWidth > 0)
  .map((element) => element.textContent)`

const overflow = 'document.documentElement.scrollWidth - document.documentElement.clientWidth'

describe('the page can be reached by everybody', () => {
  let browser: Browser
  const eventful = eventfulCall()
  const prepare: ScreenOptions['prepare'] = ({ live, past }) => {
    for (let n = 0; n < 9; n++) live.put(storyLive(n))
    for (let n = 0; n < 30; n++) past.calls.push(storyPast(n))
    past.calls.push(eventful)
  }
  before(async () => {
    browser = await openBrowser()
  })
  after(() => browser.close())

  const on = async (options: ScreenOptions, look: (screen: Screen) => Promise<void>) => {
    const screen = await openScreen(browser, { prepare, fraud: fillDesk, ...options })
    try {
      await screen.page.waitForSelector('[aria-label="Past calls, newest first"] .track-row')
      await look(screen)
      assert.deepEqual(screen.complaints, [])
    } finally {
      await screen.close()
    }
  }

  for (const width of [390, 1440]) {
    for (const colorScheme of ['light', 'dark'] as const) {
      it(`at ${width} px, ${colorScheme}: no sideways scroll, every text at contrast 4.5 or above`, async () => {
        const checks = {
          models: () => ({ state: 'ok' as const }),
          storage: () => ({ state: 'degraded' as const, detail: 'spooling' }),
        }
        await on({ width, colorScheme, checks }, async ({ page, server }) => {
          const paths: [string, string][] = [
            ['/', '.track-row'],
            [`/#/calls/${eventful.callSid}`, '.timeline canvas'],
            ['/#/fraud', '.case-row'],
            ['/#/fraud/case-flash_call', '.line-chart canvas'],
            ['/#/numbers/447700900123', '.figures-table'],
            ['/#/traffic', '.charts canvas'],
          ]
          for (const [path, shown] of paths) {
            await page.goto(server.url + path)
            await page.waitForSelector(shown)
            assert.equal(await page.evaluate(overflow), 0, `${path} scrolls sideways`)
            const { checked, faint } = (await page.evaluate(faintTexts)) as { checked: number; faint: string[] }
            assert.ok(checked > 40, `${checked} texts were looked at`)
            assert.deepEqual(faint, [], path)
          }
        })
      })
    }
  }

  it('with every column in full at every width between', async () => {
    await on({}, async ({ page }) => {
      for (const width of [320, 700, 1000, 1180, 1220, 1221, 1280, 1366, 1401, 1920]) {
        await page.setViewportSize({ width, height: 800 })
        assert.deepEqual(await page.evaluate(cutTexts), [], `cut at ${width} px`)
        assert.equal(await page.evaluate(overflow), 0, `${width} px scrolls sideways`)
      }
    })
  })

  it('with every column of a case in full at every width between, but for the end of a long reason', async () => {
    await on({}, async ({ page, server }) => {
      await page.goto(`${server.url}/#/fraud`)
      await page.waitForSelector('.case-row')
      for (const width of [320, 700, 1000, 1180, 1220, 1221, 1280, 1366, 1401, 1920]) {
        await page.setViewportSize({ width, height: 800 })
        assert.deepEqual(await page.evaluate(cutTexts), [], `cut at ${width} px`)
        assert.equal(await page.evaluate(overflow), 0, `${width} px scrolls sideways`)
      }
    })
  })

  it('by keyboard alone: skip link, one tab stop per list, arrows, Enter, and back', async () => {
    await on({}, async ({ page }) => {
      const focused = (of: string) => page.evaluate(`document.activeElement.${of}`)
      await page.keyboard.press('Tab')
      assert.equal(await focused('textContent.trim()'), 'Skip to the calls')
      await page.keyboard.press('Enter')
      assert.equal(await focused('id'), 'main')
      for (let n = 0; n < 6; n++) await page.keyboard.press('Tab')
      const keys = (await page.evaluate(
        '[...document.querySelectorAll(\'[aria-label^="Live calls"] .track-row\')].map((row) => row.dataset.key)',
      )) as string[]
      assert.equal(await focused('dataset.key'), keys[0])
      await page.keyboard.press('ArrowDown')
      await page.keyboard.press('ArrowDown')
      assert.equal(await focused('dataset.key'), keys[2])
      await page.keyboard.press('End')
      assert.equal(await focused('dataset.key'), keys.at(-1))
      await page.keyboard.press('Home')
      assert.notEqual(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle'), 'none')
      await page.keyboard.press('Tab')
      assert.match(String(await focused('placeholder')), /Number or call SID/)
      await page.keyboard.press('Shift+Tab')
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { name: /^Call CA/ }).waitFor()
      assert.equal(await focused('tagName'), 'H1')
      await page.getByRole('link', { name: 'All calls', exact: true }).focus()
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { name: 'Live calls' }).waitFor()
    })
  })

  it('with a name on everything that can be pressed or filled in', async () => {
    await on({ role: 'operator' }, async ({ page, server }) => {
      for (const [path, shown] of [
        ['/', '.track-row'],
        ['/#/fraud', '.case-row'],
        ['/#/fraud/case-flash_call', '.decision textarea'],
        ['/#/traffic', '.routes'],
      ]) {
        await page.goto(`${server.url}${path}`)
        await page.waitForSelector(shown ?? '')
        const nameless = await page.evaluate(`[...document.querySelectorAll('button, a, input, select, textarea')]
          .filter((element) => !element.getAttribute('aria-label') && !element.textContent.trim())
          .filter((element) => !element.labels?.length)
          .map((element) => element.outerHTML)`)
        assert.deepEqual(nameless, [], path)
      }
    })
  })

  it('in the theme they choose, kept over a reload', async () => {
    await on({ colorScheme: 'light' }, async ({ page }) => {
      const background = () => page.evaluate('getComputedStyle(document.body).backgroundColor')
      const light = await background()
      await page.getByRole('button', { name: 'Theme: Auto' }).click()
      await page.getByRole('button', { name: 'Theme: Light' }).click()
      await page.getByRole('button', { name: 'Theme: Dark' }).waitFor()
      assert.notEqual(await background(), light)
      await page.reload()
      await page.waitForSelector('.track-row')
      assert.notEqual(await background(), light)
    })
  })

  it('without movement when they ask for none', async () => {
    await on({ reducedMotion: 'reduce' }, async ({ page }) => {
      const names = await page.evaluate(
        "[...document.querySelectorAll('*')].map((e) => getComputedStyle(e).animationName)",
      )
      assert.deepEqual([...new Set(names as string[])], ['none'])
    })
  })
})
