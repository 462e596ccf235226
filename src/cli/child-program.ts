/** Another program as a step of a command: its lines as they come, its end. Main thread of the command. */
import { spawn } from 'node:child_process'
import { messageOf } from '../core/errors.ts'

/** Characters of what it said last. */
const outputKept = 4000

export interface Ended {
  /** Null: it could not be run. */
  readonly code: number | null
  /** The last of what it said. */
  readonly output: string
}

export interface Surroundings {
  readonly cwd?: string
  /** Laid over this process's own. */
  readonly env?: Readonly<Record<string, string>>
}

/** @param onLine each whole line, and from which stream it came */
export function runProgram(
  command: string,
  args: readonly string[],
  onLine: (line: string, from: 'stdout' | 'stderr') => void,
  { cwd, env }: Surroundings = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
      ...(cwd === undefined ? {} : { cwd }),
    })
    let output = ''
    const begun = { stdout: '', stderr: '' }
    const take = (from: 'stdout' | 'stderr') => (bytes: Buffer) => {
      const text = bytes.toString('utf8')
      output = (output + text).slice(-outputKept)
      const lines = (begun[from] + text).split('\n')
      begun[from] = lines.pop() ?? ''
      for (const line of lines) onLine(line, from)
    }
    child.stdout.on('data', take('stdout'))
    child.stderr.on('data', take('stderr'))
    child.on('error', (error) => resolve({ code: null, output: messageOf(error) }))
    child.on('close', (code) => {
      for (const from of ['stdout', 'stderr'] as const) if (begun[from] !== '') onLine(begun[from], from)
      resolve({ code: code ?? 1, output })
    })
  })
}
