/**
 * The baseline of whole-process.ts: what a careful but ordinary Node program does with Twilio's messages. `ws`,
 * JSON.parse, Buffer's base64, a mu-law table, wave-resampler to 16 kHz, fft.js spectra of 25 ms each 10 ms, and the
 * shipped model run for each hop of each call alone. One process, one thread; no storage, no verdicts.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import FFT from 'fft.js'
import waveResampler from 'wave-resampler'
import { WebSocketServer } from 'ws'
import { muLawToLinear } from '../src/audio/g711.ts'
import { loadDetector } from '../src/inference/load-detector.ts'
import { activeModelDir, loadVoiceModel } from '../src/inference/model-file.ts'

const detector = await loadDetector(loadVoiceModel(activeModelDir('voice')), { batchMax: 1 })
const fft = new FFT(512)
const spectrum = fft.createComplexArray() as number[]
const hann = Float64Array.from({ length: 400 }, (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / 400))
const hopSamples = 8000

/** Carries a call's 16 kHz samples and judges every half second. */
class PlainCall {
  #samples: number[] = []
  #judging: Promise<void> = Promise.resolve()

  hear(payload: string): void {
    const bytes = Buffer.from(payload, 'base64')
    const linear = Float64Array.from(bytes, (byte) => muLawToLinear[byte]!)
    this.#samples.push(...Array.from(waveResampler.resample(linear, 8000, 16000)))
    if (this.#samples.length < hopSamples) return
    const hop = this.#samples
    this.#samples = []
    this.#judging = this.#judging.then(() => judge(hop))
  }
}

async function judge(hop: readonly number[]): Promise<void> {
  const { features } = detector.inputs
  let at = 0
  for (let start = 0; start + 400 <= hop.length; start += 160) {
    const frame = new Array<number>(512).fill(0)
    for (let n = 0; n < 400; n++) frame[n] = (hop[start + n]! / 32768) * hann[n]!
    fft.realTransform(spectrum, frame)
    for (let band = 0; band < 60; band++) {
      let power = 0
      for (let bin = band * 4; bin < band * 4 + 8; bin++) power += spectrum[2 * bin]! ** 2 + spectrum[2 * bin + 1]! ** 2
      features[at++ % features.length] = Math.log(power + 1e-6)
    }
  }
  await detector.run(1)
}

let frames = 0
const server = createServer((request, response) => {
  request.resume()
  if (request.method === 'GET') response.end(JSON.stringify({ frames }))
  else response.end('<Response><Start><Stream url="wss://plain.example.com/media"/></Start></Response>')
})
new WebSocketServer({ server }).on('connection', (socket) => {
  const call = new PlainCall()
  socket.on('message', (data) => {
    const message = JSON.parse(String(data)) as { event: string; media?: { payload: string } }
    if (message.event !== 'media' || message.media === undefined) return
    frames++
    call.hear(message.media.payload)
  })
})
server.listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify({ msg: 'listening', url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }))
})
