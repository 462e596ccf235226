/** What is no speech gets no verdict from the shipped model: music, tones, keys, silence, 0.3 s of speech. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { it, type TestContext } from 'node:test'
import { muLawFromFloat } from '../../src/audio/g711.ts'
import { projectRoot } from '../../src/core/project.ts'
import { chord, fixtureBytes, joined, silence, tones } from '../fakes/line-audio.ts'
import { scratchDirectory } from '../fakes/scratch.ts'

const keys = [697, 770, 852, 941].map((hz, row) => tones([hz, [1336, 1209, 1477, 1336][row]!], 0.2, 160))

/** A sine that glides between 300 and 1200 Hz three times a second, as loud and as broken as syllables. */
const siren = Float32Array.from({ length: 12 * 8000 }, (_, i) => {
  const seconds = i / 8000
  const phase = 2 * Math.PI * (750 * seconds - (450 / (6 * Math.PI)) * Math.cos(6 * Math.PI * seconds))
  return 0.2 * Math.sin(phase) * Math.sin(2 * Math.PI * seconds) ** 2
})

const made: Readonly<Record<string, Float32Array>> = {
  'dial-tone': tones([425], 0.2, 12_000),
  // ITU-T E.180: 425 Hz, 1 s in 5.
  ringing: joined(...Array.from({ length: 5 }, () => joined(tones([425], 0.2, 1000), silence(4000)))),
  busy: joined(...Array.from({ length: 12 }, () => joined(tones([480, 620], 0.1, 500), silence(500)))),
  keys: joined(...Array.from({ length: 10 }, () => joined(...keys.flatMap((key) => [key, silence(120)])))),
  chords: joined(...[262, 330, 392, 294, 349, 440].map((hz) => chord([hz, hz * 1.25, hz * 1.5], 0.3, 2000))),
  siren,
  silence: silence(12_000),
}

it('of no sound that is no speech is a verdict given', (test: TestContext) => {
  const folder = scratchDirectory(test)
  for (const [name, samples] of Object.entries(made)) {
    writeFileSync(join(folder, `${name}.ul`), muLawFromFloat(samples))
  }
  writeFileSync(join(folder, 'short.ul'), fixtureBytes('human-nl-man.wav').subarray(16_000, 16_000 + 2400))
  const fixtures = join(projectRoot, 'fixtures/sounds')
  for (const name of readdirSync(fixtures).filter((file) => file.endsWith('.wav'))) {
    writeFileSync(join(folder, name), readFileSync(join(fixtures, name)))
  }
  const cli = join(projectRoot, 'dist/src/cli.js')
  const { stdout } = spawnSync(process.execPath, [cli, 'score', folder, '--json'], { encoding: 'utf8' })
  const judged = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { file: string; label: string })
  assert.equal(judged.length, Object.keys(made).length + 1 + 3)
  const told = judged.filter(({ label }) => label !== 'inconclusive' && label !== 'insufficient_speech')
  assert.deepEqual(
    told.map(({ file, label }) => `${basename(file)} ${label}`),
    [],
  )
})
