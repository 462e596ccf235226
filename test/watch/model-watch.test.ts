/** Following the registry: over seats that load at once, or refuse. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { ManualClock, systemClock } from '../../src/core/clock.ts'
import { OperatingError } from '../../src/core/errors.ts'
import { silentLog } from '../../src/core/log.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import { ModelRegistry } from '../../src/inference/model-registry.ts'
import { DriftMemories } from '../../src/watch/drift-memories.ts'
import { type ModelSeat, ModelWatch } from '../../src/watch/model-watch.ts'
import { scratchDirectory } from '../fakes/scratch.ts'
import { writeVersion } from '../fakes/tiny-model.ts'

class FakeSeat implements ModelSeat {
  readonly kind = 'voice'
  readonly did: string[] = []
  #serving = 'voice/1'
  refusal: OperatingError | null = null

  serving(): string {
    return this.#serving
  }
  async prepare(dir: string) {
    if (this.refusal !== null) throw this.refusal
    const label = `voice/${dir.split('/').at(-1)}`
    this.did.push(`load ${label}`)
    return {
      commit: () => {
        this.did.push(`use ${label}`)
        this.#serving = label
      },
      discard: async () => void this.did.push(`discard ${label}`),
    }
  }
  async tryBeside(dir: string | null): Promise<void> {
    if (this.refusal !== null) throw this.refusal
    this.did.push(`try ${dir === null ? 'none' : `voice/${dir.split('/').at(-1)}`}`)
  }
  tick(): void {}
  facts() {
    return { tracks: {}, shadow: null, drift: null }
  }
}

function watched(t: TestContext) {
  const directory = scratchDirectory(t)
  for (const version of ['1', '2', '3']) writeVersion(directory, version)
  writeVersion(directory, 'stranger', { name: 'music' })
  const write = (voice: object) => writeFileSync(join(directory, 'registry.json'), JSON.stringify({ voice }))
  write({ active: '1', previous: null })
  const registry = new ModelRegistry(directory, systemClock)
  const [seat, counters, clock] = [new FakeSeat(), zeroCounters(), new ManualClock()]
  const swaps: string[] = []
  const watch = new ModelWatch({
    ...{ registry, clock, log: silentLog, counters, watchMs: 1000, seats: { voice: seat } },
    swapped: ({ from, to }) => swaps.push(`${from} ${to}`),
  })
  /** A change stands still over two looks. */
  const looks = async () => {
    await watch.look()
    await watch.look()
  }
  return { watch, seat, counters, clock, swaps, write, looks, registry, directory }
}

describe('the watch over models', () => {
  it('loads a version before it writes the registry, and uses it after', async (t) => {
    const { watch, seat, swaps, registry, counters } = watched(t)
    const view = await watch.activate('voice', '2')
    assert.deepEqual([view.serving, view.active, view.previous, view.lastSwap?.from], ['voice/2', '2', '1', 'voice/1'])
    assert.deepEqual([seat.did, swaps], [['load voice/2', 'use voice/2'], ['voice/1 voice/2']])
    assert.equal((await watch.rollback('voice')).serving, 'voice/1')
    assert.equal(registry.entry('voice').active, '1')
    assert.equal(counters.modelSwaps, 2)
  })

  it('what is refused leaves the old one and the registry; why is told without a path of the machine', async (t) => {
    const { watch, seat, registry, counters, directory } = watched(t)
    seat.refusal = new OperatingError('model_invalid', `${directory}/voice/2/model.onnx: does not load`)
    await assert.rejects(watch.activate('voice', '2'), (thrown) => {
      assert.ok(thrown instanceof OperatingError && thrown.code === 'model_refused')
      assert.equal(thrown.message, 'voice/2 was refused: voice/2/model.onnx: does not load')
      return true
    })
    assert.deepEqual([seat.serving(), registry.entry('voice').active, counters.modelSwapsRefused], ['voice/1', '1', 1])
    assert.equal(watch.check().state, 'degraded')
    await assert.rejects(watch.activate('voice', 'stranger'), /stands in a folder called "voice"/)
    await assert.rejects(watch.activate('voice', '9'), /has no version "9"/)
    await assert.rejects(watch.activate('music', '1'), /no such model/)
  })

  it('a registry that cannot be written discards what was loaded', async (t) => {
    const { watch, seat, registry } = watched(t)
    registry.activate = () => {
      throw new OperatingError('config_invalid', 'read-only')
    }
    await assert.rejects(watch.activate('voice', '2'), /read-only/)
    assert.deepEqual([seat.did, seat.serving()], [['load voice/2', 'discard voice/2'], 'voice/1'])
  })

  it('follows the file once it stands still, and mends its word when the file is mended', async (t) => {
    const { watch, seat, write, looks, directory } = watched(t)
    await looks()
    writeFileSync(join(directory, 'registry.json'), '{"voice": {"act')
    await watch.look()
    write({ active: '2', previous: '1', candidate: '3' })
    await watch.look()
    assert.deepEqual(seat.did, [], 'half a file is not looked at')
    await watch.look()
    assert.deepEqual(seat.did, ['load voice/2', 'use voice/2', 'try voice/3'])
    writeFileSync(join(directory, 'registry.json'), '{"voice": {"act')
    await looks()
    assert.match(watch.check().detail, /^registry\.json: is not JSON/)
    write({ active: '2', previous: '1' })
    await looks()
    assert.deepEqual([watch.check(), seat.did.at(-1)], [{ state: 'ok', detail: 'voice/2' }, 'try none'])
  })

  it('what may pass by itself is tried again after a while, and only that', async (t) => {
    const { seat, write, looks, clock } = watched(t)
    await looks()
    seat.refusal = new OperatingError('capacity_full', 'older calls live')
    write({ active: '2', previous: '1' })
    await looks()
    seat.refusal = null
    await looks()
    assert.equal(seat.serving(), 'voice/1')
    clock.advance(5000)
    await looks()
    assert.equal(seat.serving(), 'voice/2')
    seat.refusal = new OperatingError('model_invalid', 'no')
    write({ active: '3', previous: '2' })
    await looks()
    seat.refusal = null
    clock.advance(60_000)
    await looks()
    assert.equal(seat.serving(), 'voice/2')
  })
})

describe('the memory of drift', () => {
  it('a version that comes back after a swap, or after a restart, goes on with its own days', async (t) => {
    const path = join(scratchDirectory(t), 'drift.json')
    const quantities = [{ name: 'score', about: '', low: 0, high: 1 }]
    const memories = () => new DriftMemories({ path, config: { referenceDays: 7, daysKept: 30 }, log: silentLog })
    const first = memories()
    const of = (model: string) => ({ model, quantities })
    first.begin('voice', of('voice/1')).today(0).add(0, 0.5)
    first.begin('voice', of('voice/2')).today(0).add(0, 0.5)
    first.begin('voice', of('voice/2')).today(0).add(0, 0.5)
    assert.equal(first.begin('voice', of('voice/1')).view().days[0]?.samples, 1)
    await first.close()
    const second = memories()
    assert.equal(second.begin('voice', of('voice/2')).view().days[0]?.samples, 2)
    writeFileSync(path, 'torn')
    assert.deepEqual(memories().begin('voice', of('voice/1')).view().days, [])
  })
})
