/**
 * Paths of files and folders in the configuration: absolute from here on. A relative one is taken from where the
 * process stands when it loads its configuration, and from nowhere else later: about a current directory that was
 * deleted meanwhile nobody asks again (`mkdirSync` with `recursive` on a relative path never returns there, Node 20).
 * Any thread.
 */
import { resolve } from 'node:path'
import { z } from 'zod'
import { messageOf } from '../core/errors.ts'

export const filePath = z
  .string()
  .min(1)
  .transform((path, context) => {
    try {
      return resolve(path)
    } catch (thrown) {
      const message = `an absolute path: there is no current directory (${messageOf(thrown)})`
      context.addIssue({ code: 'custom', message })
      return z.NEVER
    }
  })
