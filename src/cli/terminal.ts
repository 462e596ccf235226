/**
 * What a command prints through: result lines on stdout, remarks and a progress line on stderr. Handed in, so that
 * tests read what people would see. Commands return their exit code instead of exiting.
 */

/** 0 good, 1 failed, 2 bad usage or configuration. */
export type ExitCode = 0 | 1 | 2

export interface Terminal {
  /** One line of the result. */
  print(line: string): void
  /** One line for people beside the result. */
  remark(line: string): void
  /** Replaces the progress line; an empty text removes it. Does nothing when nobody watches. */
  progress(text: string): void
}

const clearLine = '\r\u001b[K'

/** The process's own stdout and stderr. */
export function processTerminal(): Terminal {
  const watched = process.stderr.isTTY === true
  let shown = false
  const wipe = () => {
    if (shown) process.stderr.write(clearLine)
    shown = false
  }
  return {
    print(line) {
      wipe()
      process.stdout.write(`${line}\n`)
    },
    remark(line) {
      wipe()
      process.stderr.write(`${line}\n`)
    },
    progress(text) {
      if (!watched) return
      process.stderr.write(clearLine + text.slice(0, Math.max(20, (process.stderr.columns ?? 80) - 1)))
      shown = text !== ''
    },
  }
}

/** Columns padded to their widest cell; numbers (and what looks like them) to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => {
        const width = widths[column] ?? 0
        return /^[-+]?[\d.,:]+ ?[a-zA-Z%/]{0,4}$/.test(cell) ? cell.padStart(width) : cell.padEnd(width)
      })
      .join('  ')
      .trimEnd()
  return [line(head), ...rows.map(line)]
}

/** `[####----] 12 / 40, 0:31 left` */
export function progressText(done: number, total: number, elapsedMs: number): string {
  const bar = `${progressBar(total === 0 ? 1 : done / total)} ${done} / ${total}`
  if (done === 0 || done >= total) return bar
  return `${bar}, ${timeText((elapsedMs / done) * (total - done) * 0.001)} left`
}

/** `[####----]` */
export function progressBar(share: number): string {
  const width = 24
  const filled = Math.round(Math.min(1, Math.max(0, share)) * width)
  return `[${'#'.repeat(filled)}${'-'.repeat(width - filled)}]`
}

/** `0:31`, `1:02:03` */
export function timeText(seconds: number): string {
  const whole = Math.round(seconds)
  const two = (value: number): string => String(value).padStart(2, '0')
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`
}
