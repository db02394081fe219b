/* npm oidc-provider beside which bench/provider.py measures the gate: one process, in-memory
   storage, RS256 by a key of 2048 bits, clients as they come in CLIENTS (JSON). Whoever types a
   name at its sign-in page is that person. */

import { createRequire } from 'node:module'
import { generateKeyPairSync, randomBytes } from 'node:crypto'

const require = createRequire(new URL('../tests/real/', import.meta.url))
const { default: Provider } = await import(require.resolve('oidc-provider'))
const memory = await import(require.resolve('oidc-provider/lib/adapters/memory_adapter.js'))
const { ISSUER, CLIENTS } = process.env

memory.setStorage(new Map()) // its own forgets all but the newest thousand things, sessions too

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const provider = new Provider(ISSUER, {
  clients: JSON.parse(CLIENTS),
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256' }] },
  scopes: ['openid', 'offline_access', 'files:read'],
  cookies: { keys: [randomBytes(32).toString('hex')] },
  claims: { profile: ['name', 'given_name', 'family_name'], email: ['email', 'email_verified'] },
  features: {
    backchannelLogout: { enabled: true },
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true, allowedPolicy: () => true }
  },
  issueRefreshToken: (_, client) => client.grantTypeAllowed('refresh_token'),
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: 'Sue Baker', email: 'sue@example.com', email_verified: true })
  })
})
provider.listen(new URL(ISSUER).port, '127.0.0.1')
