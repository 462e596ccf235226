/** A played Twilio with its REST API for tests, and a client of ours to it. */
import { TwilioRest, type TwilioRestOptions } from '../../src/actions/twilio-rest.ts'
import { systemClock } from '../../src/core/clock.ts'
import { type Counters, zeroCounters } from '../../src/core/metrics.ts'
import { speechLikeClip } from '../../src/simulator/clips.ts'
import { seededRandom } from '../../src/simulator/seeded-random.ts'
import { PlayedTwilio } from '../../src/simulator/twilio-rest.ts'

interface Ending {
  after(fn: () => Promise<void> | void): void
}

export const playedAccount = { accountSid: `AC${'3'.repeat(32)}`, authToken: 'the played token' }

export async function playedTwilio(
  test: Ending,
  origin = 'http://127.0.0.1:9',
  publicUrl = 'https://voice.example.com',
): Promise<PlayedTwilio> {
  const clips = [speechLikeClip(seededRandom(1), 5)]
  const target = { origin, publicUrl, ...playedAccount }
  const twilio = await PlayedTwilio.listen({ target, clips, clock: systemClock })
  test.after(() => twilio.close())
  return twilio
}

const limits = {
  timeoutMs: 1000,
  totalMs: 5000,
  triesMax: 4,
  backoffMs: 20,
  atOnce: 4,
  urgentAtOnce: 4,
  waitingMax: 100,
}

export function restTo(
  url: string,
  over: { authTokens?: string[]; limits?: Partial<TwilioRestOptions['limits']> } = {},
): { rest: TwilioRest; counters: Counters; seconds: number[] } {
  const counters = zeroCounters()
  const seconds: number[] = []
  const { authTokens = [playedAccount.authToken] } = over
  const rest = new TwilioRest({
    accounts: [{ sid: playedAccount.accountSid, authTokens, apiBaseUrl: url }],
    limits: { ...limits, ...over.limits },
    clock: systemClock,
    counters,
    latency: { observe: (value) => void seconds.push(value) },
  })
  return { rest, counters, seconds }
}
