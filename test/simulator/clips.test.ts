import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { byTurns, clipOf, loadClips, speechLikeClip } from '../../src/simulator/clips.ts'
import { seededRandom } from '../../src/simulator/seeded-random.ts'
import { writeWav } from '../../src/wire/wav.ts'
import { lastingDirectory } from '../fakes/scratch.ts'

function inFolder(use: (folder: string) => void): void {
  const folder = lastingDirectory()
  use(folder)
}

test('a clip is cut into frames of 160 bytes, the last one filled up with silence', () => {
  const clip = clipOf({ name: 'a.ul', truth: null, about: '', inbound: new Uint8Array(200).fill(0x11) })
  const bytes = clip.inbound.map((frame) => Buffer.from(Buffer.from(frame).toString(), 'base64'))
  assert.deepEqual(
    bytes.map((frame) => frame.length),
    [160, 160],
  )
  assert.deepEqual([bytes[1]?.[39], bytes[1]?.[40], bytes[1]?.[159]], [0x11, 0xff, 0xff])
})

test('a folder without a list plays its audio files by name; other files are left alone', () => {
  inFolder((folder) => {
    writeFileSync(join(folder, 'b.ul'), Buffer.alloc(160, 1))
    writeFileSync(
      join(folder, 'a.wav'),
      writeWav({ formatCode: 7, channels: 1, sampleRateHz: 8000, bits: 8, bytes: Buffer.alloc(320, 2) }),
    )
    writeFileSync(join(folder, 'README.md'), 'no audio')
    const clips = loadClips(folder)
    assert.deepEqual(
      clips.map((clip) => [clip.name, clip.truth, clip.inbound.length]),
      [
        ['a.wav', null, 2],
        ['b.ul', null, 1],
      ],
    )
  })
})

test('a list tells what each recording truly is', () => {
  inFolder((folder) => {
    writeFileSync(join(folder, 'b.ul'), Buffer.alloc(160, 1))
    writeFileSync(
      join(folder, 'calls.json'),
      JSON.stringify([{ file: 'b.ul', truth: 'synthetic', engine: 'x', language: 'en' }]),
    )
    const [clip] = loadClips(folder)
    assert.deepEqual([clip?.name, clip?.truth, clip?.about], ['b.ul', 'synthetic', 'x, en'])
  })
})

test('a folder without recordings is refused', () => {
  inFolder((folder) => assert.throws(() => loadClips(folder), /no recordings/))
  assert.throws(() => loadClips('/nowhere/at/all'), /cannot read/)
})

test('made-up audio is as long as asked for, the same for the same seed, and has loud and quiet frames', () => {
  const clip = speechLikeClip(seededRandom(1), 3)
  assert.equal(clip.inbound.length, 150)
  assert.deepEqual(clip.inbound, speechLikeClip(seededRandom(1), 3).inbound)
  const kinds = new Set(clip.inbound.map((frame) => Buffer.from(frame).toString()))
  assert.ok(kinds.size > 50)
})

test('truths take turns, and no clip is left out', () => {
  const clips = ['h1', 'h2', 'h3', 's1', 'x1'].map((name) =>
    clipOf({ name, truth: name.slice(0, 1), about: '', inbound: new Uint8Array(160) }),
  )
  assert.deepEqual(
    byTurns(clips).map((clip) => clip.name),
    ['h1', 's1', 'x1', 'h2', 'h3'],
  )
})
