/**
 * `simulate twilio`: plays Twilio with its REST API for a server whose `twilio.accounts[].apiBaseUrl` points here.
 * Calls ring at the server's webhook (or are just live, for `POST /v1/detections`), play recordings at their real pace,
 * and what the server does to them by REST is done and told: streams, redirects, hang-ups.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../core/errors.ts'
import { projectRoot } from '../core/project.ts'
import { identityOf } from '../simulator/call-load.ts'
import { byTurns, loadClips, speechLikeClip } from '../simulator/clips.ts'
import { seededRandom } from '../simulator/seeded-random.ts'
import type { CallEvent, PlayedCall } from '../simulator/twilio-call.ts'
import { PlayedTwilio, type SeenRequest } from '../simulator/twilio-rest.ts'
import { type SimulateContext, type SimulateOptions, targetOf } from './simulate-calls.ts'
import type { ExitCode } from './terminal.ts'

export interface SimulateTwilioOptions
  extends Pick<SimulateOptions, 'url' | 'json' | 'audio' | 'accountSid' | 'authToken' | 'publicUrl'> {
  readonly port: number
  readonly calls: number
  readonly seconds: number
  readonly webhook: boolean
}

const callsPerSecond = 20
/** Time for the last status callbacks to leave. */
const farewellMs = 500

export async function simulateTwilio(context: SimulateContext, options: SimulateTwilioOptions): Promise<ExitCode> {
  const { clock, config, terminal } = context
  const target = targetOf(config, options)
  const startedMs = clock.steadyMs()
  const told = (event: CallEvent): void => terminal.print(eventLine(event, startedMs, options.json))
  const twilio = await PlayedTwilio.listen({ target, clips: clipsOf(options.audio), clock, told }, options.port)
  terminal.remark(`Twilio's REST API is played at ${twilio.url}; set it as twilio.accounts[].apiBaseUrl of the server`)
  const calls: PlayedCall[] = []
  let refused = 0
  for (let index = 0; index < options.calls; index += 1) {
    const { from, to } = identityOf(index)
    try {
      calls.push(options.webhook ? await twilio.ring({ from, to }) : twilio.place({ from, to }))
    } catch (thrown) {
      refused += 1
      terminal.remark(`refused: ${messageOf(thrown)}`)
    }
    await sleep(1000 / callsPerSecond)
  }
  const endMs = clock.steadyMs() + options.seconds * 1000
  while (clock.steadyMs() < endMs && calls.some(({ status }) => status !== 'completed')) await sleep(50)
  for (const call of calls) call.end()
  await sleep(farewellMs)
  const summary = summaryOf(twilio, calls.length)
  if (options.json) terminal.print(JSON.stringify({ summary }))
  else for (const [name, value] of Object.entries(summary)) terminal.print(`${name.padEnd(20)}${JSON.stringify(value)}`)
  await twilio.close()
  return refused === 0 ? 0 : 1
}

/** The given folder, else the recordings that come with the package, else made-up audio. */
function clipsOf(folder: string | undefined) {
  if (folder !== undefined) return loadClips(folder)
  const shipped = join(projectRoot, 'fixtures/calls')
  if (existsSync(shipped)) return byTurns(loadClips(shipped))
  return [speechLikeClip(seededRandom(1), 20)]
}

function eventLine({ atMs, callSid, kind, detail }: CallEvent, startedMs: number, json: boolean): string {
  const seconds = Math.round(atMs - startedMs) / 1000
  if (json) return JSON.stringify({ seconds, callSid, event: kind, detail })
  return `${seconds.toFixed(2).padStart(7)} s  ${callSid}  ${kind.padEnd(14)}  ${detail}`.trimEnd()
}

function summaryOf(twilio: PlayedTwilio, placed: number): Record<string, unknown> {
  const count = (kind: CallEvent['kind']): number => twilio.events.filter((event) => event.kind === kind).length
  const requests: Record<string, number> = {}
  for (const request of twilio.requests) {
    const name = `${requestName(request)} ${request.status}`
    requests[name] = (requests[name] ?? 0) + 1
  }
  return {
    calls: placed,
    streams: count('stream_started'),
    redirects: count('redirected'),
    hangUps: count('hung_up'),
    requests,
  }
}

function requestName({ method, path, form }: SeenRequest): string {
  if (/\/Streams\.json$/.test(path)) return 'start stream'
  if (/\/Streams\//.test(path)) return 'stop stream'
  if (method === 'GET') return 'fetch call'
  return form['Status'] === undefined ? 'redirect' : 'hang up'
}
