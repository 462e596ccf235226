/** Keeps audio into the folder it is given until it is killed; says a word once two seconds of it are on disk. */
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../../src/core/clock.ts'
import { silentLog } from '../../src/core/log.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import type { Tap } from '../../src/ingest/audio-tap.ts'
import { RecordingKeys } from '../../src/recordings/recording-keys.ts'
import { Recordings } from '../../src/recordings/recordings.ts'

const root = process.argv[2] ?? ''
const directory = `${root}/recordings`
const limits = { ttlH: 1, bytesMax: 1_000_000_000, trackSecondsMax: 86_400, keyFile: null }
let tap: Tap | null = null
const recordings = new Recordings({
  config: { keep: 'all', labels: [], ...limits },
  directory,
  keys: new RecordingKeys(directory, `${root}/audio.key`),
  taps: {
    listen: (_trackId, listener) => {
      tap = listener
      return () => {}
    },
  },
  clock: systemClock,
  log: silentLog,
  counters: zeroCounters(),
})
const callSid = `CA${'a1'.repeat(16)}`
const call = { callSid, accountSid: 'AC', from: '', to: '', direction: 'inbound', stirVerstat: '' }
recordings.start({ trackId: 1, track: 'inbound', call, streamSid: 'MZ', startedAtMs: Date.now() })
for (let told = false; ; ) {
  for (let frame = 0; frame < 50; frame++) (tap as Tap | null)?.audio(Buffer.alloc(160, 0x55))
  await sleep(5)
  if (told || recordings.bytes < 20_000) continue
  told = true
  // Counted when it is given to the disk; written a moment later.
  await sleep(50)
  process.stdout.write('kept\n')
}
