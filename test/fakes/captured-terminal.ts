/** A terminal that keeps what people would have seen. */
import type { Terminal } from '../../src/cli/terminal.ts'

export interface CapturedTerminal extends Terminal {
  readonly out: string[]
  readonly err: string[]
  readonly shown: string[]
}

export function capturedTerminal(): CapturedTerminal {
  const out: string[] = []
  const err: string[] = []
  const shown: string[] = []
  return {
    out,
    err,
    shown,
    print: (line) => void out.push(line),
    remark: (line) => void err.push(line),
    progress: (text) => void shown.push(text),
  }
}
