/**
 * Certificate and key files: whether they can be served, and whether they changed. The server library says nothing
 * about what is wrong with them and would serve a key that does not belong to its certificate, so OpenSSL is asked
 * first. Main thread.
 */
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { messageOf, OperatingError } from '../core/errors.ts'
import { stampOf } from '../core/whole-file.ts'

export interface TlsFiles {
  readonly certFile: string
  readonly keyFile: string
}

/** @throws OperatingError config_invalid when they cannot be read, parsed, or do not belong together */
export function checkTlsFiles({ certFile, keyFile }: TlsFiles): void {
  try {
    createSecureContext({ cert: readFileSync(certFile), key: readFileSync(keyFile) })
  } catch (cause) {
    const reason = messageOf(cause)
    throw new OperatingError(
      'config_invalid',
      `server.tls: no certificate and key could be read from ${certFile} and ${keyFile}: ${reason}`,
      { cause },
    )
  }
}

/** Changes whenever either file was replaced or written. */
export function tlsFingerprint({ certFile, keyFile }: TlsFiles): string {
  return `${stampOf(certFile)} ${stampOf(keyFile)}`
}
