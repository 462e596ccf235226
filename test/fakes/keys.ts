/** Keys of a running server, made as an operator makes them: with the command line beside it. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { projectRoot } from '../../src/core/project.ts'
import type { ServerProcess } from './server-process.ts'

export function makeKey(server: ServerProcess, role: string): string {
  const config = join(server.dataDir, 'test.yaml')
  const cli = join(projectRoot, 'dist/src/cli.js')
  const args = [cli, 'key', 'create', '--role', role, '--name', role, '--config', config]
  const out = execFileSync(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] })
  return out.toString().trim().split('\n').at(-1) ?? ''
}
