/** An identity provider: its keys as a JWKS, and tokens good and bad in exactly one respect. */
import { createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { SignJWT } from 'jose'

export const issuer = 'https://id.example.com/'
export const audience = 'voicefw'

export interface Provider {
  /** Content of a JWKS file. */
  readonly jwks: string
  readonly publicPem: string
  token(claims?: Record<string, unknown>, over?: { expS?: number; iatS?: number; kid?: string }): Promise<string>
}

export function provider(kid = 'k1'): Provider {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const jwk = publicKey.export({ format: 'jwk' })
  return {
    jwks: JSON.stringify({ keys: [{ ...jwk, kid, use: 'sig', alg: 'RS256' }] }),
    publicPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    token: (claims = {}, over = {}) => signed(privateKey, over.kid ?? kid, claims, over),
  }
}

async function signed(
  key: KeyObject,
  kid: string,
  claims: Record<string, unknown>,
  over: { expS?: number; iatS?: number },
): Promise<string> {
  const nowS = Math.floor(Date.now() / 1000)
  const all = { sub: 'ann', role: 'viewer', iss: issuer, aud: audience, ...claims }
  return new SignJWT(all)
    .setProtectedHeader({ alg: 'RS256', kid })
    .setIssuedAt(over.iatS ?? nowS)
    .setExpirationTime(over.expS ?? nowS + 300)
    .sign(key)
}

/** A token whose header says `alg`, signed as `sign` does; claims are good. */
export function forged(header: Record<string, unknown>, sign: (text: string) => string): string {
  const nowS = Math.floor(Date.now() / 1000)
  const claims = { sub: 'eve', role: 'admin', iss: issuer, aud: audience, iat: nowS, exp: nowS + 300 }
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const text = `${part(header)}.${part(claims)}`
  return `${text}.${sign(text)}`
}

/** The classic: the provider's public key, which everybody has, taken as an HMAC secret. */
export function hmacWithPublicKey(publicPem: string): string {
  return forged({ alg: 'HS256', typ: 'JWT', kid: 'k1' }, (text) =>
    createHmac('sha256', publicPem).update(text).digest('base64url'),
  )
}
