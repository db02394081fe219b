/* A device without a browser, such as a television, to which somebody signs in with the telephone
   in their hand (RFC 8628), by the package openid-client, 6.8.9 (`npm install openid-client`):

     ISSUER=https://app.example CLIENT_ID=… node openid_client_device.mjs */

import { webcrypto } from 'node:crypto'
import * as client from 'openid-client'

globalThis.crypto ??= webcrypto // Node.js 18 has it, though not by this name

const { ISSUER, CLIENT_ID } = process.env

// A gate without TLS is one on this computer, to try things out.
const execute = ISSUER.startsWith('http:') ? [client.allowInsecureRequests] : []
const gate = await client.discovery(
  new URL(ISSUER), CLIENT_ID, undefined, client.None(), { execute }
)

const waiting = await client.initiateDeviceAuthorization(gate, { scope: 'openid profile email' })
console.log(`Open ${waiting.verification_uri} and type ${waiting.user_code}`)

const tokens = await client.pollDeviceAuthorizationGrant(gate, waiting)
const who = await client.fetchUserInfo(gate, tokens.access_token, tokens.claims().sub)
console.log(`Signed in as ${who.name}, ${who.email}.`)
