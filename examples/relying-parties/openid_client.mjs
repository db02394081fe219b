/* A web application whose people sign in at the gate, by the package openid-client, 6.8.9
   (`npm install openid-client jose`):

     ISSUER=https://app.example CLIENT_ID=… CLIENT_SECRET=… PORT=9000 node openid_client.mjs */

import * as client from 'openid-client'
import { HERE, serve } from './application.mjs'
import { logoutTokens } from './logout_token.mjs'

const { ISSUER, CLIENT_ID, CLIENT_SECRET } = process.env

// A gate without TLS is one on this computer, to try things out.
const execute = ISSUER.startsWith('http:') ? [client.allowInsecureRequests] : []
const gate = await client.discovery(
  new URL(ISSUER), CLIENT_ID, undefined, client.ClientSecretPost(CLIENT_SECRET), { execute }
)

async function who (tokens, before = {}) {
  const claims = tokens.claims() ?? before.claims
  const said = await client.fetchUserInfo(gate, tokens.access_token, claims.sub)
  return {
    sub: claims.sub,
    sid: claims.sid,
    name: said.name,
    email: said.email,
    claims,
    idToken: tokens.id_token ?? before.idToken,
    refreshToken: tokens.refresh_token ?? before.refreshToken
  }
}

serve({
  async login () {
    const pkceCodeVerifier = client.randomPKCECodeVerifier()
    const [expectedState, expectedNonce] = [client.randomState(), client.randomNonce()]
    const url = client.buildAuthorizationUrl(gate, {
      redirect_uri: `${HERE}/callback`,
      scope: 'openid profile email offline_access',
      code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
      state: expectedState,
      nonce: expectedNonce
    })
    return { url, kept: { pkceCodeVerifier, expectedState, expectedNonce } }
  },

  async callback (url, kept) {
    return who(await client.authorizationCodeGrant(gate, url, { ...kept, idTokenExpected: true }))
  },

  async refresh (before) {
    const tokens = await client.refreshTokenGrant(gate, before.refreshToken)
    const seen = await client.tokenIntrospection(gate, tokens.access_token)
    if (!seen.active || seen.sub !== before.sub) throw new Error('a token of nobody')
    return who(tokens, before)
  },

  async logout ({ idToken, refreshToken }) {
    await client.tokenRevocation(gate, refreshToken)
    return client.buildEndSessionUrl(gate, {
      id_token_hint: idToken, post_logout_redirect_uri: `${HERE}/`
    })
  },

  signedOut: logoutTokens(gate.serverMetadata(), CLIENT_ID)
})
