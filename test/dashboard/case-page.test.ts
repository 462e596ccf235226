import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Browser } from 'playwright-core'
import { openBrowser, openScreen, type Screen, type ScreenOptions } from '../fakes/browser.ts'
import { seed } from '../fakes/fraud.ts'
import { fillDesk, fraudCase } from '../fakes/fraud-story.ts'

describe("a case's page", () => {
  let browser: Browser
  before(async () => {
    browser = await openBrowser()
  })
  after(() => browser.close())

  const on = async (options: ScreenOptions, look: (screen: Screen) => Promise<void>) => {
    const screen = await openScreen(browser, { fraud: fillDesk, hash: '#/fraud/case-flash_call', ...options })
    try {
      await look(screen)
      assert.deepEqual(screen.complaints, [])
    } finally {
      await screen.close()
    }
  }

  it('tells reasons in words, calls under each action, the plot and the evidence', async () => {
    await on({}, async ({ page }) => {
      await page.waitForSelector('.line-chart canvas')
      const text = await page.locator('main').innerText()
      for (const words of [
        'Flash calls: range 4477009001…',
        '1,795 of 1,840 attempts in 1 h ended before anybody could answer',
        'What its calls would have got',
        '1,655',
        '12 call records',
        'not answered 16 normal clearing',
      ]) {
        assert.ok(text.includes(words), `${words} in ${text}`)
      }
      assert.equal(await page.locator('[data-cdr]').count(), 12)
    })
  })

  it('reads the plot by arrow keys, minute by minute from the first call', async () => {
    await on({}, async ({ page }) => {
      const chart = page.getByRole('img', { name: /^Calls of the subject over 1:0\d:00: 1,\d\d\d attempts/ })
      await chart.focus()
      await page.keyboard.press('End')
      await page.keyboard.press('Home')
      await page.keyboard.press('ArrowRight')
      await page.keyboard.press('ArrowRight')
      await page.getByText(/^\d\d:\d\d: attempts 2 · over before anybody could answer 2 · answered 0/).waitFor()
    })
  })

  it('lets an operator dismiss with a note, and undo it', async () => {
    await on({ role: 'operator' }, async ({ page, desk }) => {
      await page.getByLabel(/^Note/).fill('known dialler of the school')
      await page.getByRole('button', { name: 'Dismiss' }).click()
      await page.getByText('The case is dismissed.').waitFor()
      assert.deepEqual(desk.decided, [
        { id: 'case-flash_call', decision: 'dismiss', body: { note: 'known dialler of the school' } },
      ])
      await page.locator('.standing-dismissed').waitFor()
      await page.getByText('known dialler of the school').waitFor()
      await page.getByRole('button', { name: 'Undo: it is fraud' }).click()
      await page.locator('.standing-confirmed').waitFor()
      assert.equal(desk.cases.get('case-flash_call')?.verdict, 'confirmed')
      assert.equal(await page.getByRole('button', { name: 'Confirm fraud' }).count(), 0)
    })
  })

  it('shows a viewer the buttons, but they cannot decide, and why', async () => {
    await on({ role: 'viewer' }, async ({ page, desk }) => {
      for (const name of ['Confirm fraud', 'Dismiss', 'Close']) {
        const button = page.getByRole('button', { name, exact: true })
        assert.equal(await button.isDisabled(), true, name)
        assert.equal(await button.getAttribute('aria-describedby'), 'decision-why')
      }
      assert.equal(await page.getByLabel(/^Note/).isDisabled(), true)
      await page.getByText('Your key has role viewer; deciding needs role operator.').waitFor()
      assert.deepEqual(desk.decided, [])
    })
  })

  it('is decided through the API itself: the case book keeps it, the audit tells who', async () => {
    const prepare: ScreenOptions['prepare'] = ({ fraud, clock }) => {
      fraud.book.apply([{ change: 'opened', seed: seed('real', clock.wallMs()) }])
    }
    await on({ prepare, fraud: null, role: 'operator', hash: '#/fraud' }, async ({ page, api }) => {
      await page.locator('[aria-label^="Live cases"] [data-key=real]').click()
      await page.getByText('97 % of 150 attempts within 10 min given up while ringing').waitFor()
      await page.getByRole('button', { name: 'Dismiss' }).click()
      await page.getByText('The case is dismissed.').waitFor()
      assert.equal(api.fraud.book.get('real')?.seed.it.verdict, 'dismissed')
      assert.equal(api.rows.at(-1)?.action, 'case.dismiss')
      await page.getByRole('link', { name: 'All cases', exact: true }).click()
      await page.locator('[aria-label^="Closed cases"] [data-key=real]').waitFor()
      assert.equal(await page.locator('[aria-label^="Live cases"] [data-key=real]').count(), 0)
    })
  })

  it('is decided by keyboard alone', async () => {
    await on({ role: 'operator' }, async ({ page, desk }) => {
      await page.getByLabel(/^Note/).focus()
      await page.keyboard.type('seen it')
      await page.keyboard.press('Tab')
      assert.equal(await page.evaluate('document.activeElement.textContent'), 'Confirm fraud')
      await page.keyboard.press('Enter')
      await page.getByText('The case is confirmed.').waitFor()
      assert.deepEqual(desk.decided[0], { id: 'case-flash_call', decision: 'confirm', body: { note: 'seen it' } })
    })
  })

  it("says the server's reason when it refuses a decision, and the case stays as it was", async () => {
    const fraud: ScreenOptions['fraud'] = (desk) => {
      fillDesk(desk)
      desk.decide = () => {
        throw new Error('not today')
      }
    }
    const screen = await openScreen(browser, { fraud, role: 'operator', hash: '#/fraud/case-flash_call' })
    try {
      await screen.page.getByRole('button', { name: 'Dismiss' }).click()
      await screen.page.locator('.decision [role=alert]').waitFor()
      assert.equal(await screen.page.locator('main .standing').innerText(), 'Open')
      assert.equal(await screen.page.getByRole('button', { name: 'Dismiss' }).isDisabled(), false)
    } finally {
      await screen.close()
    }
  })

  it('moves with the events of its case', async () => {
    await on({}, async ({ page, desk }) => {
      await page.getByText('1,840', { exact: true }).waitFor()
      const it = desk.cases.get('case-flash_call')
      assert.ok(it)
      desk.tell('cooled', { ...it, state: 'cooled', calls: 1999 })
      await page.getByText('1,999', { exact: true }).waitFor()
      assert.equal(await page.locator('main .standing').innerText(), 'Cooled')
    })
  })

  it('of a case that was taken in leads to the one that took it, and offers no decision', async () => {
    const fraud: ScreenOptions['fraud'] = (desk) => {
      fillDesk(desk)
      desk.put(fraudCase('small', { state: 'merged', mergedInto: 'case-flash_call' }))
    }
    await on({ fraud, role: 'operator', hash: '#/fraud/small' }, async ({ page }) => {
      await page.getByText('Merged').waitFor()
      assert.equal(await page.locator('.decision button').count(), 0)
      await page.getByRole('link', { name: 'go there to decide' }).click()
      await page.getByRole('heading', { name: /^Flash calls: range/ }).waitFor()
    })
  })

  it('says so when nobody knows the case', async () => {
    const screen = await openScreen(browser, { hash: '#/fraud/nosuch' })
    try {
      await screen.page.getByText('no case of that id is known').waitFor()
    } finally {
      await screen.close()
    }
  })

  it("leads from a number to all that is known of it: cases, windows, a day's figures, recent calls", async () => {
    const screen = await openScreen(browser, { fraud: fillDesk, hash: '#/fraud/case-flash_call' })
    const { page, close, complaints } = screen
    try {
      await page.locator('[data-cdr] a').nth(6).click()
      await page.getByRole('heading', { name: 'Number ···· 123' }).waitFor()
      const windows = await page.locator('.figures-table').innerText()
      assert.match(windows, /attempts\s+14\s+120\s+655\s+1,320/i)
      assert.match(windows, /before anybody could answer\s+13\s+114\s+622\s+1,254/)
      assert.match(windows, /Talk\s+2\.0 s\s+12\.0 s\s+1:06\s+2:12/)
      await page.getByRole('group', { name: 'Cases of the number' }).locator('.case-row').waitFor()
      assert.match(await page.getByLabel('As called, last 24 h').innerText(), /Mean talk\s+1:01/)
      assert.equal(await page.locator('[data-cdr]').count(), 6)
      assert.deepEqual(complaints, [])
    } finally {
      await close()
    }
  })
})
