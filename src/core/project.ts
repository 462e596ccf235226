/** Where the installed package lies: its root holds `configs/`, `models/`, `fixtures/`, `dist/`. Any thread. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Absolute path of the package root, with a trailing slash. This file runs as dist/src/core/project.js. */
export const projectRoot = fileURLToPath(new URL('../../../', import.meta.url))

/** Version of package.json. */
export const version = (JSON.parse(readFileSync(`${projectRoot}package.json`, 'utf8')) as { version: string }).version
