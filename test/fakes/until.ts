/** Waits for a condition, looking every few milliseconds; for tests that meet real sockets and processes. */
export async function until(condition: () => boolean, timeoutMs = 10_000): Promise<void> {
  const sinceMs = performance.now()
  while (!condition()) {
    if (performance.now() - sinceMs > timeoutMs) throw new Error(`not within ${timeoutMs} ms: ${condition}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
