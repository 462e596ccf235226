/** The page of models in a browser: what it shows, at two widths, and what an admin's buttons ask. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Browser } from 'playwright-core'
import type { ModelsShown } from '../../src/api/models.ts'
import { OperatingError } from '../../src/core/errors.ts'
import { openBrowser, openScreen, type Screen, type ScreenOptions, settlesAt } from '../fakes/browser.ts'
import { storyModels } from '../fakes/model-story.ts'

/** Where screenshots are kept, when somebody wants to look. */
const pictures = process.env['VOICEFW_PICTURES']

function models(asks: string[] = []): ModelsShown {
  const answer = async (what: string) => {
    asks.push(what)
    const [voice] = storyModels()
    assert.ok(voice)
    if (what === 'activate voice 1') throw new OperatingError('model_refused', 'voice/1 was refused: it does not load')
    return voice
  }
  return {
    views: storyModels,
    activate: (name, version) => answer(`activate ${name} ${version}`),
    rollback: (name) => answer(`rollback ${name}`),
    setCandidate: (name, version) => answer(`candidate ${name} ${version}`),
  }
}

describe('the page of models', () => {
  let browser: Browser
  before(async () => {
    browser = await openBrowser()
  })
  after(() => browser.close())

  const on = async (options: ScreenOptions, look: (screen: Screen) => Promise<void>) => {
    const screen = await openScreen(browser, { models: models(), hash: '#/models', ...options })
    try {
      await settlesAt(screen.page.locator('.model'), 2)
      await look(screen)
    } finally {
      await screen.close()
    }
  }

  for (const width of [390, 1440]) {
    it(`fits ${width} px: versions, agreement and drift, nothing beyond the edge of the page`, async () => {
      await on({ width, role: 'admin' }, async ({ page, complaints }) => {
        const voice = page.locator('[data-model="voice"]')
        assert.match(await voice.locator('.section-head').innerText(), /voice\/2 judges new calls/)
        const standings = await voice.locator('.model-versions tbody tr td:nth-of-type(1)').allInnerTexts()
        assert.deepEqual(standings, ['before', 'active', 'candidate', 'kept'])
        const figures = await voice.locator('.figures').innerText()
        for (const said of ['11,284', '62 %', '91 %', '−0.022', '5.1 of 10 %'])
          assert.ok(figures.includes(said), figures)
        const flash = page.locator('[data-model="flash_call"]')
        assert.match(await flash.locator('p.model-problem').innerText(), /flash_call\/2 was refused/)
        assert.match(await flash.locator('.model-versions').innerText(), /1\s+judges, before/)
        const days = await flash.locator('.model-days tbody tr td:nth-of-type(1)').allInnerTexts()
        assert.deepEqual(days, ['shifted', 'moved', 'steady'])
        const beyond = await page.evaluate('document.documentElement.scrollWidth - innerWidth')
        assert.equal(beyond, 0)
        if (pictures !== undefined) await page.screenshot({ path: `${pictures}/models-${width}.png`, fullPage: true })
        assert.deepEqual(complaints, [])
      })
    })
  }

  it('lets an admin roll back, try and activate, and says what came of it', async () => {
    const asks: string[] = []
    await on({ models: models(asks), role: 'admin' }, async ({ page }) => {
      await page.getByRole('button', { name: 'Roll back to 1' }).first().click()
      await page.getByText('voice/1 judges new calls again; live ones keep their model.').waitFor()
      await page.getByRole('button', { name: 'Try voice/1 beside it' }).click()
      await page.getByText('voice/1 is tried beside the active version.').waitFor()
      await page.getByRole('button', { name: 'Activate voice/1' }).click()
      await page.getByRole('alert').getByText('voice/1 was refused: it does not load').waitFor()
      assert.equal(
        await page.getByRole('button', { name: 'Activate voice/4' }).count(),
        0,
        'a broken one has no button',
      )
      assert.deepEqual(asks, ['rollback voice', 'candidate voice 1', 'activate voice 1'])
    })
  })

  it('shows a viewer the same, without buttons', async () => {
    await on({ role: 'viewer' }, async ({ page }) => {
      assert.equal(await page.locator('.model button').count(), 0)
    })
  })
})
