/** How busy a thread's event loop is: delay p99 and utilization between two readings. Any thread. */
import { type EventLoopUtilization, monitorEventLoopDelay, performance } from 'node:perf_hooks'

export interface ThreadLoad {
  /** 99th percentile of the loop's delay since the last reading, ms. */
  delayMsP99(): number
  /** Share of time the loop was busy since the last reading, 0..1. */
  utilization(): number
}

/** ms between the samples of the delay. */
const resolutionMs = 10

export function watchThread(): ThreadLoad {
  const delay = monitorEventLoopDelay({ resolution: resolutionMs })
  delay.enable()
  let before: EventLoopUtilization = performance.eventLoopUtilization()
  return {
    delayMsP99() {
      const p99 = Math.max(0, delay.percentile(99) / 1e6 - resolutionMs)
      delay.reset()
      return p99
    },
    utilization() {
      const now = performance.eventLoopUtilization()
      const { utilization } = performance.eventLoopUtilization(now, before)
      before = now
      return utilization
    },
  }
}
