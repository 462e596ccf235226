import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Browser } from 'playwright-core'
import { OperatingError } from '../../src/core/errors.ts'
import { parseCdr } from '../../src/wire/cdr-record.ts'
import { openBrowser, openScreen, type Screen, type ScreenOptions, settlesAt } from '../fakes/browser.ts'
import { fillDesk, fraudCase, storyCases } from '../fakes/fraud-story.ts'
import { eventually } from '../fakes/scratch.ts'

const liveName = 'Live cases, worst first'

/**
 * A browser that has much else to do: what is put off until a frame was drawn (a timer without a time, or the 35 ms in
 * which no frame came) waits until `goOn()`.
 */
const busyBrowser = `{
  const soon = setTimeout.bind(window)
  const waiting = []
  let isBusy = false
  setTimeout = (run, ...more) => (isBusy && (more[0] ?? 35) === 35 ? -waiting.push(run) : soon(run, ...more))
  becomeBusy = () => { isBusy = true }
  goOn = () => {
    isBusy = false
    for (const run of waiting) run()
  }
}`

describe('the fraud page', () => {
  let browser: Browser
  before(async () => {
    browser = await openBrowser()
  })
  after(() => browser.close())

  const on = async (options: ScreenOptions, look: (screen: Screen) => Promise<void>) => {
    const screen = await openScreen(browser, { fraud: fillDesk, hash: '#/fraud', ...options })
    try {
      await look(screen)
      assert.deepEqual(screen.complaints, [])
    } finally {
      await screen.close()
    }
  }
  const liveRows = ({ page }: Screen) => page.getByRole('group', { name: liveName }).locator('.case-row')
  const keys = async (screen: Screen) =>
    liveRows(screen).evaluateAll((rows) => rows.map((row) => row.getAttribute('data-key')))

  it('shows the worst case first, open ones before cooled ones, in full', async () => {
    await on({}, async (screen) => {
      await settlesAt(liveRows(screen), 8)
      assert.deepEqual(await keys(screen), [
        'case-flash_call',
        'case-irsf',
        'case-pbx_hack',
        'case-wangiri',
        'case-short_answer_burst',
        'case-cli_spoof',
        'case-anomaly',
        'case-robocall',
      ])
      const text = await liveRows(screen).nth(1).innerText()
      for (const words of [
        'Toll fraud',
        '88213… via trunk-b',
        '41 of 64 calls',
        'Open',
        'Block',
        'shadow',
        '31 min',
        '0.95',
      ]) {
        assert.ok(text.includes(words), `${words} in ${text}`)
      }
      await screen.page.getByText('7 open · 1 cooled').waitFor()
    })
  })

  it('moves with case events: a new case appears, a stronger one tells its new score', async () => {
    await on({}, async (screen) => {
      const { page, desk } = screen
      await settlesAt(liveRows(screen), 8)
      desk.tell('opened', fraudCase('case-new', { kind: 'wangiri', score: 0.99, severity: 9 }))
      await settlesAt(liveRows(screen), 9)
      await page.getByText('New fraud case: wangiri, number ···· 123, score 0.99.').waitFor({ state: 'attached' })
      await page.getByText('8 open · 1 cooled').waitFor()
      const [flash] = storyCases()
      assert.ok(flash)
      desk.tell('strengthened', { ...flash, score: 0.98, calls: 2222 })
      await page.getByText('2,222').waitFor()
      // Rows change places at most every two seconds.
      await page.waitForTimeout(2200)
      assert.equal((await keys(screen))[0], 'case-new')
    })
  })

  it('lets a dismissed case leave the live ones for the closed ones', async () => {
    await on({}, async (screen) => {
      const { page, desk } = screen
      await settlesAt(liveRows(screen), 8)
      desk.decide('case-irsf', 'dismiss', {}, 'key:1 somebody')
      await settlesAt(liveRows(screen), 7)
      assert.ok(!(await keys(screen)).includes('case-irsf'))
      const closed = page.getByRole('group', { name: 'Closed cases, newest first' })
      await closed.locator('[data-key=case-irsf]').waitFor()
      assert.match(await closed.locator('[data-key=case-irsf]').innerText(), /Dismissed/)
    })
  })

  it('filters by kind and state, and keeps the filter in the address', async () => {
    await on({}, async (screen) => {
      const { page } = screen
      await settlesAt(liveRows(screen), 8)
      await page.getByRole('button', { name: /^Wangiri/ }).click()
      await settlesAt(liveRows(screen), 1)
      assert.ok(page.url().endsWith('#/fraud?kind=wangiri'))
      await page.reload()
      await settlesAt(liveRows(screen), 1)
      assert.equal(await page.getByRole('button', { name: /^Wangiri/ }).getAttribute('aria-pressed'), 'true')
      const closedKinds = page.getByRole('group', { name: /Closed/ }).locator('.badge-text')
      assert.deepEqual([...new Set(await closedKinds.allTextContents())], ['Wangiri'])
      await page.getByRole('button', { name: /^Wangiri/ }).click()
      await page.getByLabel('State of live cases').selectOption('cooled')
      await settlesAt(liveRows(screen), 1)
      assert.deepEqual(await keys(screen), ['case-robocall'])
    })
  })

  it('pages through closed cases and narrows them to how they ended', async () => {
    await on({}, async ({ page }) => {
      const closed = page.getByRole('group', { name: 'Closed cases, newest first' }).locator('.case-row')
      await settlesAt(closed, 25)
      await page.getByRole('button', { name: 'Older' }).click()
      await settlesAt(closed, 5)
      await page.getByLabel('How it ended').selectOption('confirmed')
      await settlesAt(closed, 6)
      assert.deepEqual(
        [...new Set(await page.locator('.standing-confirmed').allTextContents())],
        ['Confirmed · closed'],
      )
    })
  })

  it('sums up the last day: calls under a case by action, and cases by kind with their verdicts', async () => {
    await on({}, async ({ page }) => {
      const table = page.getByLabel('Cases by kind', { exact: true })
      await table.waitFor()
      assert.match(await table.innerText(), /Wangiri\s+6\s+1\s+0\s+1\s+412/)
      await page.getByRole('img', { name: /^Calls under a case over 24 hours: 2,106/ }).focus()
      await page.keyboard.press('End')
      await page.getByText(/calls under a case 0 · to be labelled 0/).waitFor()
    })
  })

  it('hides numbers until asked, but not ranges and routes', async () => {
    await on({}, async (screen) => {
      await settlesAt(liveRows(screen), 8)
      const text = () => screen.page.locator('main').innerText()
      assert.ok(!(await text()).includes('12025550147'))
      assert.ok((await text()).includes('4477009001…'))
      await screen.page.getByRole('button', { name: 'Numbers', exact: true }).click()
      assert.ok((await text()).includes('12025550147'))
    })
  })

  it('tells who has nothing yet how to push a record, by a command that is accepted as it stands', async () => {
    await on({ fraud: () => {} }, async ({ page, server }) => {
      const command = await page.locator('.feeding pre').first().innerText()
      assert.ok(command.includes(`curl '${server.url}/v1/cdr?source=canonical'`))
      const body = /-d '(.*)'$/.exec(command)?.[1] ?? ''
      const record = parseCdr(JSON.parse(body), 'canonical')
      assert.ok('callId' in record, JSON.stringify(record))
    })
  })

  it('shows a case that is told of after it was drawn and before the browser came to anything else', async () => {
    await on({ script: busyBrowser, hash: '#/traffic' }, async ({ page, desk }) => {
      const open = (count: number) => page.getByRole('link', { name: `Fraud ${count} open cases` })
      await open(7).waitFor()
      await page.evaluate('becomeBusy()')
      await open(7).click()
      await page.getByText('7 open · 1 cooled').waitFor()
      desk.tell('opened', fraudCase('case-new'))
      await open(8).waitFor()
      await page.evaluate('goOn()')
      await page.getByText('8 open · 1 cooled').waitFor({ timeout: 3000 })
    })
  })

  it('says why when cases cannot be asked for', async () => {
    const fraud: ScreenOptions['fraud'] = (desk) => {
      desk.list = () => {
        throw new Error('not today')
      }
    }
    const screen = await openScreen(browser, { fraud, hash: '#/fraud' })
    try {
      await screen.page.getByText(/Fraud cases cannot be shown/).waitFor()
      await screen.page.getByText(/Closed cases cannot be shown/).waitFor()
    } finally {
      await screen.close()
    }
  })

  it('asks again within seconds when part of the list failed, and counts what happened meanwhile', async () => {
    let refusals = 1
    const fraud: ScreenOptions['fraud'] = (desk) => {
      for (let n = 0; n < 450; n++) desk.put(fraudCase(`many-${n}`, { severity: 5 - n / 1000 }))
      const list = desk.list.bind(desk)
      desk.list = (query) => {
        if (query.get('before') !== '400') return list(query)
        if (refusals-- > 0) throw new OperatingError('too_many_requests', 'not so fast')
        const page = list(query)
        desk.decide('many-3', 'dismiss', {}, 'key:1 somebody')
        for (const id of ['new-1', 'new-2']) desk.tell('opened', fraudCase(id, { severity: 0.1 }))
        return page
      }
    }
    const screen = await openScreen(browser, { fraud, hash: '#/fraud' })
    try {
      await screen.page.getByText('451 open · 0 cooled', { exact: true }).waitFor()
      assert.ok(!(await keys(screen)).includes('many-3'))
      assert.equal(refusals, -1, 'refused once')
    } finally {
      await screen.close()
    }
  })

  it('lets a worse case take the place of the mildest of a thousand, and says that there are more', async () => {
    const fraud: ScreenOptions['fraud'] = (desk) => {
      for (let n = 0; n < 1000; n++) desk.put(fraudCase(`many-${n}`, { severity: 5 - n / 1000 }))
    }
    await on({ fraud }, async (screen) => {
      await screen.page.getByText('1000 open · 0 cooled', { exact: true }).waitFor()
      screen.desk.tell('opened', fraudCase('worst', { severity: 9 }))
      await screen.page.getByText('1000 open · 0 cooled: the worst of more').waitFor()
      // Rows change places at most every two seconds.
      await eventually(async () => (await keys(screen))[0] === 'worst')
      assert.equal((await keys(screen))[1], 'many-0')
    })
  })

  it('keeps the worst thousand of more live cases, says so, and draws fifty until asked', async () => {
    const fraud: ScreenOptions['fraud'] = (desk) => {
      for (let n = 0; n < 1100; n++) desk.put(fraudCase(`many-${n}`, { severity: 5 - n / 1000 }))
    }
    await on({ fraud }, async (screen) => {
      await screen.page.getByText('1000 open · 0 cooled: the worst of more').waitFor()
      assert.equal(await liveRows(screen).count(), 50)
      assert.equal((await keys(screen))[0], 'many-0')
      await screen.page.getByRole('button', { name: 'Show 50 more of 950' }).click()
      await settlesAt(liveRows(screen), 100)
    })
  })

  it('is walked by keyboard: pages, one tab stop a list, arrows, Enter, and back', async () => {
    await on({}, async (screen) => {
      const { page } = screen
      await settlesAt(liveRows(screen), 8)
      const focused = (of: string) => page.evaluate(`document.activeElement.${of}`)
      await page.getByRole('link', { name: /^Fraud/ }).focus()
      await page.keyboard.press('Tab')
      assert.equal(await focused('textContent'), 'Traffic')
      await page.locator('.case-row').first().focus()
      await page.keyboard.press('ArrowDown')
      await page.keyboard.press('ArrowDown')
      assert.equal(await focused('dataset.key'), 'case-pbx_hack')
      await page.keyboard.press('End')
      assert.equal(await focused('dataset.key'), 'case-robocall')
      await page.keyboard.press('Tab')
      assert.match(String(await focused('getAttribute("aria-label")')), /^Calls under a case/)
      await page.keyboard.press('Shift+Tab')
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { name: /^Robocalls: number/ }).waitFor()
      assert.equal(await focused('tagName'), 'H1')
      await page.getByRole('link', { name: 'All cases', exact: true }).focus()
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { name: 'Live cases' }).waitFor()
    })
  })
})
