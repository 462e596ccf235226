/** The server as users run it, as a child process, and what the kernel says of a process: for whole-server figures. */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

export interface Server {
  readonly child: ChildProcess
  readonly url: string
  readonly startMs: number
}

/** USER_HZ of every Linux that Node runs on. */
const clockTickMs = 10

export async function start(args: readonly string[]): Promise<Server> {
  const beganAt = performance.now()
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let remarks = ''
  child.stderr.on('data', (chunk: Buffer) => {
    remarks = (remarks + chunk).slice(-4000)
  })
  const url = await new Promise<string>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`${args[0]} left with ${code}: ${remarks}`)))
    const lines = createInterface({ input: child.stdout })
    lines.on('line', (text) => {
      const line = text.startsWith('{') ? (JSON.parse(text) as { msg?: string; url?: string }) : {}
      if (line.msg === 'listening' && line.url !== undefined) resolve(line.url)
    })
  })
  return { child, url, startMs: performance.now() - beganAt }
}

export async function stop({ child }: Server): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  await gone
}

/** CPU of a process over all its threads so far, and its resident memory. */
export function usage(pid: number): { cpuMs: number; rssKib: number } {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  const rssKib = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
  return { cpuMs: (Number(fields[11]) + Number(fields[12])) * clockTickMs, rssKib }
}

export function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
  return text === '' ? [] : text.split(' ').map(Number)
}

/** Every value of `/metrics`, by its whole name. */
export async function metricsOf(url: string): Promise<Map<string, number>> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  )
}
