import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Browser } from 'playwright-core'
import { openBrowser, openScreen, type Screen, type ScreenOptions } from '../fakes/browser.ts'
import { storyLive } from '../fakes/story.ts'

describe('signing in', () => {
  let browser: Browser
  before(async () => {
    browser = await openBrowser()
  })
  after(() => browser.close())

  const on = async (options: ScreenOptions, look: (screen: Screen) => Promise<void>) => {
    const screen = await openScreen(browser, options)
    try {
      await look(screen)
    } finally {
      await screen.close()
    }
  }

  it('by a key in the fragment: it leaves the address bar, history and page, and the calls are there', async () => {
    await on({ prepare: ({ live }) => live.put(storyLive(1)) }, async ({ page, server, api, complaints }) => {
      await page.waitForSelector('.track-row')
      assert.equal(page.url(), `${server.url}/`)
      assert.equal(await page.evaluate('history.length <= 2 && document.cookie'), '', 'scripts cannot read the cookie')
      assert.ok(!(await page.content()).includes(api.key))
      await page.reload()
      await page.waitForSelector('.track-row')
      assert.deepEqual(complaints, [])
    })
  })

  it('shows the form without an error to who comes without a key', async () => {
    await on({ path: '/' }, async ({ page, complaints }) => {
      await page.getByLabel('API key').waitFor()
      assert.equal(await page.evaluate('document.activeElement.id'), 'key')
      assert.deepEqual(complaints, [])
    })
  })

  it('by the form, with words for a wrong key, and out again', async () => {
    await on({ path: '/', prepare: ({ live }) => live.put(storyLive(1)) }, async ({ page, api }) => {
      await page.getByLabel('API key').fill('vf_wrong')
      await page.keyboard.press('Enter')
      await page.getByText('That key is not valid').waitFor()
      await page.getByLabel('API key').fill(api.key)
      await page.keyboard.press('Enter')
      await page.waitForSelector('.track-row')
      await page.getByRole('button', { name: 'Sign out' }).click()
      await page.getByLabel('API key').waitFor()
      assert.equal(api.sessions.size, 0)
    })
  })

  it('is asked again when the key is revoked meanwhile', async () => {
    await on({ prepare: ({ live }) => live.put(storyLive(1)) }, async ({ page, api, server }) => {
      await page.waitForSelector('.track-row')
      for (const { id } of api.keys.list()) api.keys.revoke(id)
      await server.restart()
      await page.getByText('The session has ended').waitFor()
    })
  })
})
