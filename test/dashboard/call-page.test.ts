import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Browser } from 'playwright-core'
import { actionView } from '../../src/decisions/action-record.ts'
import { actionRecord } from '../fakes/actions.ts'
import { openBrowser, openScreen, type Screen, type ScreenOptions, verdict } from '../fakes/browser.ts'
import { liveCall, track, windows } from '../fakes/calls.ts'
import { eventfulCall } from '../fakes/story.ts'

/** How many pixels of the chart have the colour of a token, give or take rounding. */
function pixelsOf(token: string): string {
  return `(() => {
    const probe = document.body.appendChild(document.createElement('span'))
    probe.style.color = 'var(--${token})'
    const [r, g, b] = getComputedStyle(probe).color.match(/\\d+/g).map(Number)
    probe.remove()
    const canvas = document.querySelector('[data-track=inbound] .timeline canvas')
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
    let count = 0
    for (let at = 0; at < data.length; at += 4) {
      if (Math.abs(data[at] - r) + Math.abs(data[at + 1] - g) + Math.abs(data[at + 2] - b) < 6) count += 1
    }
    return count
  })()`
}

describe("a call's page", () => {
  let browser: Browser
  before(async () => {
    browser = await openBrowser()
  })
  after(() => browser.close())

  const on = async (options: ScreenOptions, callSid: string, look: (screen: Screen) => Promise<void>) => {
    const screen = await openScreen(browser, options)
    try {
      await screen.page.waitForSelector('.connection-live')
      await screen.page.goto(`${screen.server.url}/#/calls/${callSid}`)
      await look(screen)
    } finally {
      await screen.close()
    }
  }

  it('tells verdict, reasons, figures and model of each track, and draws bands, lanes and line', async () => {
    const call = eventfulCall()
    await on({ prepare: ({ past }) => past.calls.push(call) }, call.callSid, async ({ page, complaints }) => {
      await page.waitForSelector('[data-track=inbound] .timeline canvas')
      const text = await page.locator('[data-track=inbound]').innerText()
      for (const words of [
        'Likely synthetic',
        '0.94',
        'the voice changed before 38.5 s',
        '940 ms',
        'voice/1',
        '51.4 s',
      ]) {
        assert.ok(text.includes(words), `${words} in ${text}`)
      }
      assert.match(await page.locator('[data-track=outbound]').innerText(), /That is not identity/)
      const tokens = ['synthetic', 'human', 'band-synthetic', 'band-human', 'flag-silence', 'flag-music', 'flag-tone']
      for (const token of [...tokens, 'flag-dtmf', 'flag-clipped', 'flag-gap']) {
        assert.ok(((await page.evaluate(pixelsOf(token))) as number) > 30, `${token} is drawn`)
      }
      await page.getByText('6 flagged stretches as a list').click()
      const list = await page.locator('.stretches').innerText()
      assert.match(list, /music\s+0:20 – 0:32 \(12\.0 s\)/)
      assert.match(list, /gap\s+0:50 – 0:51/)
      assert.deepEqual(complaints, [])
    })
  })

  it('reads the chart by arrow keys', async () => {
    const call = eventfulCall()
    await on({ prepare: ({ past }) => past.calls.push(call) }, call.callSid, async ({ page }) => {
      const chart = page.getByRole('img', { name: /Window scores over 1:30 of the inbound track/ })
      await chart.focus()
      await page.keyboard.press('End')
      await page.getByText(/window 1:26–1:30 · score 0\.\d\d/).waitFor()
      await page.keyboard.press('Home')
      await page.getByText('window 0:00–0:00 · not scored · tone').waitFor()
      await page.keyboard.press('ArrowRight')
      await page.getByText('window 0:00–0:01 · not scored · tone').waitFor()
    })
  })

  it('grows with the events of a live call and takes the final word when it ends', async () => {
    const call = liveCall(7, { tracks: [track({ windows: windows([0.2, 0.2]), score: 0.2 })] })
    await on({ prepare: ({ live }) => live.put(call) }, call.callSid, async ({ page, api, complaints }) => {
      await page.getByText('2', { exact: true }).waitFor()
      const window = { startMs: 0, endMs: 1500, score: 0.97, flags: [] }
      const moved = { callSid: call.callSid, label: 'likely_synthetic', score: 0.97, window }
      api.bus.publish('verdict', verdict({ ...moved, reasons: [{ code: 'x', text: 'because of this test' }] }))
      await page.getByText('because of this test').waitFor()
      assert.match(await page.locator('.figures').innerText(), /Windows\s+3/)
      api.live.put({ ...call, state: 'ended', endedAt: call.startedAt, endReason: 'stop' })
      api.bus.publish('verdict', verdict({ callSid: call.callSid, state: 'ended' }))
      await page.getByText('stream stopped').waitFor()
      assert.deepEqual(complaints, [])
    })
  })

  it('says so when nobody knows the call', async () => {
    await on({}, 'CAunknown', async ({ page }) => {
      await page.getByText('no call of that SID is known').waitFor()
    })
  })

  it('tells what the policy would have done and why, with the weights of the risk', async () => {
    const call = eventfulCall()
    const action = actionView(actionRecord({ callSid: call.callSid, state: 'shadow' }))
    const prepare = ({ past, policy }: Screen['api']) => {
      past.calls.push(call)
      policy.views.set(call.callSid, { actions: [action], risk: null, handsOff: null })
    }
    await on({ prepare }, call.callSid, async ({ page, complaints }) => {
      await page.getByText('Risk of the call: 0.97').click()
      const text = await page.locator('.panel.actions').innerText()
      for (const words of [
        'Shadow mode: this is what would have been done.',
        'shadow: the call would have been hung up (rule hang-up): label likely_synthetic',
        'Risk of the call: 0.97',
        '+2.75\tthe voice scores 0.94: odds x16',
      ]) {
        assert.ok(text.includes(words), `${words} in ${text}`)
      }
      await page.getByText('Evidence', { exact: true }).click()
      assert.match(await page.locator('.action .figures').innerText(), /voice\/1 · abababababab…/)
      assert.equal(await page.getByRole('button', { name: 'Undo' }).count(), 0)
      assert.deepEqual(complaints, [])
    })
  })

  const told = (role: 'viewer' | 'operator') => {
    const call = liveCall(9)
    const record = actionRecord({ callSid: call.callSid, action: 'notify', state: 'done', rule: 'tell' })
    const prepare = (api: Screen['api']) => {
      api.key = api.keys.create(role, 'desk').key
      api.live.put(call)
      api.policy.record = record
      api.policy.views.set(call.callSid, { actions: [actionView(record)], risk: null, handsOff: null })
    }
    return { call, prepare }
  }

  it('lets an operator undo an action and say hands off, and shows it as soon as an event tells', async () => {
    const { call, prepare } = told('operator')
    await on({ prepare }, call.callSid, async ({ page, api, complaints }) => {
      await page.getByRole('button', { name: 'Undo' }).click()
      await page.getByRole('button', { name: 'Hands off' }).click()
      for (let tries = 0; api.policy.views.get(call.callSid)?.handsOff === null && tries < 100; tries += 1) {
        await new Promise((next) => setTimeout(next, 20))
      }
      assert.match(api.policy.undone[0]?.who ?? '', / desk$/)
      api.bus.publish('action', { change: 'hands_off', callSid: call.callSid })
      await page.getByText(/Hands off since .*, says key:\S+ desk/).waitFor()
      await page.getByRole('button', { name: 'Let the policy go on' }).waitFor()
      assert.deepEqual(complaints, [])
    })
  })

  it('lets a viewer look and not act', async () => {
    const { call, prepare } = told('viewer')
    await on({ prepare }, call.callSid, async ({ page }) => {
      await page.getByText('people were told (rule tell)').waitFor()
      await page.waitForTimeout(300)
      assert.equal(await page.locator('.panel.actions button').count(), 0)
    })
  })
})
