/**
 * Makes the data directory. One folder at a time: `mkdirSync` with `recursive` never returns where a parent takes no
 * folders (/proc, Node 20). Main thread, at start.
 */
import { mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { messageOf } from '../core/errors.ts'
import { ConfigProblems } from './load.ts'

/** @param path absolute. @throws ConfigProblems when it is not a folder and cannot be made */
export function makeDataDir(path: string): void {
  try {
    make(path)
  } catch (thrown) {
    throw new ConfigProblems([`dataDir: ${path} is not a folder and cannot be made: ${messageOf(thrown)}`])
  }
}

function make(path: string): void {
  const known = statSync(path, { throwIfNoEntry: false })
  if (known?.isDirectory()) return
  if (known !== undefined) throw new Error('a file of that name exists')
  const parent = dirname(path)
  if (parent !== path) make(parent)
  mkdirSync(path, { mode: 0o700 })
}
