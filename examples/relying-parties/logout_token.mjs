/* Logout tokens (OpenID Connect Back-Channel Logout 1.0, section 2.6), by the package jose. */

import { createRemoteJWKSet, jwtVerify } from 'jose'

const EVENT = 'http://schemas.openid.net/event/backchannel-logout'

/* Give a function that verifies a token for `audience`, and gives the sid of who has gone. */
export function logoutTokens (gate, audience) {
  const keys = createRemoteJWKSet(new URL(gate.jwks_uri), { cooldownDuration: 0 })
  const checks = {
    issuer: gate.issuer,
    audience,
    algorithms: gate.id_token_signing_alg_values_supported,
    typ: 'logout+jwt',
    requiredClaims: ['iat', 'exp', 'jti', 'sid', 'events']
  }
  const heard = new Map() // the jti of tokens that were obeyed, and when they end

  return async function verified (token) {
    const { payload } = await jwtVerify(token, keys, checks)
    const now = Date.now() / 1000
    for (const [jti, until] of heard) if (until < now) heard.delete(jti)
    if (!payload.events[EVENT] || 'nonce' in payload || heard.has(payload.jti)) {
      throw new Error('no logout token, or an old one')
    }
    heard.set(payload.jti, payload.exp)
    return payload.sid
  }
}
