/* A web application whose people sign in at the gate, by the package oauth4webapi, 3.8.8
   (`npm install oauth4webapi jose`). It proves to be itself by a key of its own and has no secret:

     ISSUER=https://app.example CLIENT_ID=… CLIENT_KEY=key.jwk PORT=9000 node oauth4webapi.mjs

   `node oauth4webapi.mjs --new-key key.jwk` makes the key, and prints what the gate is to know.

   Where the gate offers it, requests are pushed (RFC 9126), and tokens are bound to a key (RFC
   9449), so that whoever steals one cannot use it. */

import { readFile, writeFile } from 'node:fs/promises'
import * as oauth from 'oauth4webapi'
import { HERE, serve } from './application.mjs'
import { logoutTokens } from './logout_token.mjs'

const ES256 = { name: 'ECDSA', namedCurve: 'P-256' }

if (process.argv[2] === '--new-key') {
  const made = await crypto.subtle.generateKey(ES256, true, ['sign', 'verify'])
  const { kty, crv, x, y, d } = await crypto.subtle.exportKey('jwk', made.privateKey)
  const secret = JSON.stringify({ kty, crv, x, y, d })
  await writeFile(process.argv[3], secret, { mode: 0o600, flag: 'wx' }) // never over another
  console.log(JSON.stringify({ keys: [{ kty, crv, x, y, alg: 'ES256', use: 'sig', kid: 'app' }] }))
  process.exit()
}

const { ISSUER, CLIENT_ID, CLIENT_KEY } = process.env

// A gate without TLS is one on this computer, to try things out.
const how = { [oauth.allowInsecureRequests]: ISSUER.startsWith('http:') }
const issuer = new URL(ISSUER)
const gate = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, how))

const jwk = JSON.parse(await readFile(CLIENT_KEY, 'utf8'))
const key = await crypto.subtle.importKey('jwk', jwk, ES256, false, ['sign'])
const client = { client_id: CLIENT_ID }
const proof = oauth.PrivateKeyJwt({ key, kid: 'app' })
const bound = gate.dpop_signing_alg_values_supported
  ? { ...how, DPoP: oauth.DPoP(client, await oauth.generateKeyPair('ES256')) }
  : how

async function who (tokens, before = {}) {
  const claims = oauth.getValidatedIdTokenClaims(tokens) ?? before.claims
  const answer = await oauth.userInfoRequest(gate, client, tokens.access_token, bound)
  const said = await oauth.processUserInfoResponse(gate, client, claims.sub, answer)
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

/* Give what to ask the authorization endpoint: all of it, or a name for what was pushed. */
async function asked (parameters) {
  if (!gate.pushed_authorization_request_endpoint) return parameters
  const pushed = await oauth.pushedAuthorizationRequest(gate, client, proof, parameters, bound)
  const { request_uri: uri } = await oauth.processPushedAuthorizationResponse(gate, client, pushed)
  return { client_id: CLIENT_ID, request_uri: uri }
}

serve({
  async login () {
    const verifier = oauth.generateRandomCodeVerifier()
    const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()]
    const url = new URL(gate.authorization_endpoint)
    url.search = new URLSearchParams(await asked({
      client_id: CLIENT_ID,
      response_type: 'code',
      redirect_uri: `${HERE}/callback`,
      scope: 'openid profile email offline_access',
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
      nonce
    }))
    return { url, kept: { verifier, state, nonce } }
  },

  async callback (url, { verifier, state, nonce }) {
    const parameters = oauth.validateAuthResponse(gate, client, url, state)
    const answer = await oauth.authorizationCodeGrantRequest(
      gate, client, proof, parameters, `${HERE}/callback`, verifier, bound
    )
    return who(await oauth.processAuthorizationCodeResponse(gate, client, answer, {
      expectedNonce: nonce, requireIdToken: true
    }))
  },

  async refresh (before) {
    const answer = await oauth.refreshTokenGrantRequest(
      gate, client, proof, before.refreshToken, bound
    )
    const tokens = await oauth.processRefreshTokenResponse(gate, client, answer)
    const seen = await oauth.introspectionRequest(gate, client, proof, tokens.access_token, how)
    const { active, sub } = await oauth.processIntrospectionResponse(gate, client, seen)
    if (!active || sub !== before.sub) throw new Error('a token of nobody')
    return who(tokens, before)
  },

  async logout ({ idToken, refreshToken }) {
    const revoked = await oauth.revocationRequest(gate, client, proof, refreshToken, how)
    await oauth.processRevocationResponse(revoked)
    const url = new URL(gate.end_session_endpoint)
    url.search = new URLSearchParams({
      id_token_hint: idToken, post_logout_redirect_uri: `${HERE}/`
    })
    return url
  },

  signedOut: logoutTokens(gate, CLIENT_ID)
})
