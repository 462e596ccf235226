import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it, mock } from 'node:test'
import { Asking } from '../../src/dashboard/asking.ts'

/** A server that answers when told to, and the page's time. */
class Server {
  nowMs = 1_000_000
  readonly askedAtMs: number[] = []
  #answer: (isGood: boolean) => void = () => {}

  readonly ask = (): Promise<void> => {
    this.askedAtMs.push(this.nowMs)
    return new Promise((resolve, reject) => {
      this.#answer = (isGood) => (isGood ? resolve() : reject(new Error('not now')))
    })
  }

  async answers(isGood: boolean): Promise<void> {
    this.#answer(isGood)
    for (let turns = 0; turns < 10; turns++) await Promise.resolve()
  }

  pass(ms: number): void {
    for (let passed = 0; passed < ms; passed += 50) {
      this.nowMs += 50
      mock.timers.tick(50)
    }
  }

  /** How long after the one before each question came. */
  pausesMs(): number[] {
    return this.askedAtMs.slice(1).map((atMs, index) => atMs - (this.askedAtMs[index] ?? 0))
  }
}

describe('a question asked again and again', () => {
  let server: Server
  let asking: Asking
  beforeEach(() => {
    server = new Server()
    mock.timers.enable({ apis: ['setTimeout'] })
    mock.method(performance, 'now', () => server.nowMs)
    asking = new Asking(server.ask, { regularMs: 60_000, leastMs: 1500, retryMs: 2000 })
    asking.start()
  })
  afterEach(() => mock.reset())

  it('is asked at once, and at the regular time after each answer', async () => {
    await server.answers(true)
    server.pass(60_000)
    await server.answers(true)
    server.pass(60_000)
    assert.deepEqual(server.pausesMs(), [60_000, 60_000])
  })

  it('is asked again soon when it failed, later each time, and never later than regularly', async () => {
    for (const waitMs of [2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]) {
      await server.answers(false)
      server.pass(waitMs)
    }
    assert.deepEqual(server.pausesMs(), [2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000])
    await server.answers(true)
    server.pass(60_000)
    await server.answers(false)
    server.pass(2000)
    assert.deepEqual(server.pausesMs().slice(-2), [60_000, 2000], 'one answer, and all is well')
  })

  it('is wished for by many at once, and asked once', async () => {
    await server.answers(true)
    server.pass(5000)
    for (let wish = 0; wish < 20; wish++) {
      asking.soon()
      server.pass(50)
    }
    assert.deepEqual(server.pausesMs(), [5150])
  })

  it('is not asked oftener than every 1.5 s, however often it is wished for', async () => {
    for (let tenth = 0; tenth < 50; tenth++) {
      asking.soon()
      await server.answers(true)
      server.pass(100)
    }
    assert.deepEqual(server.pausesMs(), [1500, 1500, 1500])
  })

  it('wished for while one is under way, is asked after that one, not beside it', async () => {
    server.pass(10_000)
    asking.soon()
    server.pass(100_000)
    assert.equal(server.askedAtMs.length, 1, 'no answer yet')
    await server.answers(true)
    server.pass(150)
    assert.deepEqual(server.pausesMs(), [110_150])
  })

  it('wished for after a failure does not wait for its pause', async () => {
    for (const waitMs of [2000, 4000, 8000]) {
      await server.answers(false)
      server.pass(waitMs)
    }
    await server.answers(false)
    server.pass(3000)
    asking.soon()
    server.pass(150)
    assert.deepEqual(server.pausesMs(), [2000, 4000, 8000, 3150])
  })

  it('once stopped is asked no more, whatever the answer under way', async () => {
    asking.stop()
    await server.answers(false)
    asking.soon()
    server.pass(120_000)
    assert.equal(server.askedAtMs.length, 1)
  })
})
