/** Rules of how long a side takes to answer, over timelines with known latencies. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SpeechTurns } from '../../src/decisions/speech-turns.ts'

type Said = readonly (readonly [startMs: number, endMs: number])[]

/** What a track tells at the end of a hop: starts are known after 190 ms, ends after 200 ms, as phrases.ts tells. */
function hear(turns: SpeechTurns, said: Said, hopEndMs: number): void {
  const started = said.findLast(([startMs]) => startMs + 190 <= hopEndMs)
  const ended = said.findLast(([, endMs]) => endMs + 200 <= hopEndMs)
  turns.hear({ phraseStartMs: started?.[0] ?? Number.NaN, phraseEndMs: ended?.[1] ?? Number.NaN }, hopEndMs)
}

/** Both sides' hops of 500 ms; `behind`: hops that the other side's are told later. */
function figures(other: Said, self: Said, behind = 0) {
  const [caller, agent] = [new SpeechTurns(), new SpeechTurns()]
  agent.face(caller)
  for (let hop = 1; hop <= 60; hop += 1) {
    hear(agent, self, hop * 500)
    if (hop > behind) hear(caller, other, (hop - behind) * 500)
  }
  return agent.figures
}

describe('the response latency', () => {
  const questions: Said = [
    [1000, 2000],
    [5000, 6000],
    [9000, 10_000],
    [13_000, 14_000],
  ]

  it('is from the end of what the other side said to the start of the answer', () => {
    const answers: Said = [
      [2600, 4000],
      [6800, 8000],
      [11_000, 12_000],
      [14_600, 16_000],
    ]
    // 600, 800, 1000 and 600 ms: the median is 700, the quartiles 600 and 850.
    const expected = { responses: 4, responseLatencyMsMedian: 700, responseLatencyMsSpread: 250 }
    assert.deepEqual(figures(questions, answers), expected)
    assert.deepEqual(figures(questions, answers, 3), expected, 'one side is told later than the other')
  })

  it('has none where one speaks while the other still does', () => {
    assert.equal(
      figures(questions, [
        [1500, 3000],
        [5200, 5700],
      ]).responses,
      0,
    )
  })

  it('has none where one goes on after the other fell silent, but a word in between is no turn', () => {
    assert.equal(
      figures(
        [[1000, 2000]],
        [
          [1800, 2300],
          [2600, 3000],
        ],
      ).responses,
      0,
    )
    assert.equal(
      figures(
        [[1000, 2000]],
        [
          [1300, 1600],
          [2600, 3000],
        ],
      ).responseLatencyMsMedian,
      600,
    )
  })

  it('counts an answer once, however many phrases it has', () => {
    const result = figures(questions, [
      [2500, 3000],
      [3300, 3800],
      [4200, 4700],
    ])
    assert.deepEqual(result, { responses: 1, responseLatencyMsMedian: 500, responseLatencyMsSpread: null })
  })

  it('is not told of who speaks first, nor of who speaks again after more than 5 s', () => {
    assert.equal(figures([[1000, 2000]], [[300, 700]]).responses, 0)
    assert.equal(figures([[1000, 2000]], [[7100, 8000]]).responses, 0)
    assert.equal(figures([[1000, 2000]], [[7000, 8000]]).responses, 1)
  })

  it('is null where only one side is heard', () => {
    const alone = new SpeechTurns()
    for (let hop = 1; hop <= 10; hop += 1)
      hear(
        alone,
        [
          [1000, 2000],
          [3000, 4000],
        ],
        hop * 500,
      )
    const nothing = { responses: 0, responseLatencyMsMedian: null, responseLatencyMsSpread: null }
    assert.deepEqual(alone.figures, nothing)
  })

  it('is of the last 64 answers, and counts all', () => {
    const [caller, agent] = [new SpeechTurns(), new SpeechTurns()]
    agent.face(caller)
    const spell = (n: number, latencyMs: number): void => {
      const atMs = n * 4000
      caller.hear({ phraseStartMs: atMs, phraseEndMs: atMs + 1000 }, atMs + 3500)
      const startMs = atMs + 1000 + latencyMs
      agent.hear({ phraseStartMs: startMs, phraseEndMs: startMs + 500 }, atMs + 3500)
    }
    for (let n = 0; n < 100; n += 1) spell(n, n < 36 ? 2000 : 400)
    assert.deepEqual(agent.figures, { responses: 100, responseLatencyMsMedian: 400, responseLatencyMsSpread: 0 })
  })
})
