/**
 * V8 compiles WebAssembly twice: at once, and the hot functions again with all its art, on every core, for seconds. A
 * worker or a server that lives for the length of a test never earns that back, and half of the suite's CPU went
 * there. The arithmetic of both compilers is the same: WebAssembly leaves them no choice. Long tests (*.long.ts) run
 * the server as shipped.
 */
import { setFlagsFromString } from 'node:v8'

export const quickWasmFlag = '--liftoff-only'

/** For this process and its worker threads; before the first module is compiled. */
export function quickWasm(): void {
  setFlagsFromString(quickWasmFlag)
}
