/** CPU time of this process, which other processes on the machine do not change much: the median of several rounds. */

/** Median CPU ms of one call of `work`, over `rounds` calls after `warm` calls that are not counted. */
export async function medianCpuMs(work: () => Promise<void> | void, rounds: number, warm: number): Promise<number> {
  for (let i = 0; i < warm; i += 1) await work()
  const times: number[] = []
  for (let i = 0; i < rounds; i += 1) {
    const before = process.cpuUsage()
    await work()
    const { user, system } = process.cpuUsage(before)
    times.push((user + system) / 1000)
  }
  times.sort((a, b) => a - b)
  return times[Math.floor(rounds / 2)] as number
}

/** Three significant digits. */
export function rounded(value: number): number {
  return Number(value.toPrecision(3))
}
