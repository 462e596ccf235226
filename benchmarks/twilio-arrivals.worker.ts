/**
 * Twilio's REST API for the benchmark of actions, in a thread of its own, so that what plays the calls does not delay
 * the clock of what arrives: notes the wall time at which a request's head is read, answers after `answersMs`.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'

const { answersMs } = workerData as { answersMs: number }
let arrivals: [callSid: string, atMs: number][] = []

const server = createServer((request, response) => {
  const callSid = /\/Calls\/(CA\w+)\.json/.exec(request.url ?? '')?.[1] ?? ''
  arrivals.push([callSid, Date.now()])
  request.resume().on('end', () => {
    const body = JSON.stringify({ sid: callSid, status: 'in-progress' })
    setTimeout(() => response.writeHead(200, { 'content-type': 'application/json' }).end(body), answersMs)
  })
})
server.listen(0, '127.0.0.1', () => parentPort?.postMessage({ port: (server.address() as AddressInfo).port }))

/** Any message asks for what arrived since the last one. */
parentPort?.on('message', () => {
  parentPort?.postMessage({ arrivals })
  arrivals = []
})
