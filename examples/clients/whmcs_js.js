/* Sign a client's owner in by the package whmcs-js, 2.0.1 (`npm install whmcs-js`):

     GATE_URL=https://app.example API_IDENTIFIER=… API_SECRET=… CLIENT_ID=1 node whmcs_js.js

   It knows no CreateSsoToken, but calls any action by its name. An error is an answer like any
   other to it. */

'use strict'

const { Authentication, Clients } = require('whmcs-js')

const { GATE_URL, API_IDENTIFIER, API_SECRET, CLIENT_ID } = process.env
const config = {
  serverUrl: `${GATE_URL}/includes/api.php`,
  identifier: API_IDENTIFIER,
  secret: API_SECRET
}
const clients = new Clients(config)
const authentication = new Authentication(config)

async function good (answered) {
  const answer = await answered
  if (answer.result !== 'success') throw new Error(answer.message)
  return answer
}

async function main () {
  const { client } = await good(clients.getClientsDetails({ clientid: CLIENT_ID }))
  console.log(`client ${client.id}: ${client.companyname}, ${client.status}`)

  const { products } = await good(clients.getClientsProducts({ clientid: CLIENT_ID }))
  for (const service of products.product) {
    console.log(`service ${service.id}: ${service.name}, ${service.status}`)
  }

  // A program that belongs to one service, such as the panel of its server, calls /oauth/token.php
  // by credentials of its own.
  const serviceId = products.product[0].id
  const made = await good(authentication.createOAuthCredential({
    grantType: 'single_sign_on', scope: 'clientarea:sso clientarea:product_details', serviceId
  }))
  console.log(`credential of service ${serviceId}: ${made.clientIdentifier}`)
  await good(authentication.deleteOAuthCredential({ credentialId: made.credentialId }))

  const token = await good(clients.callApi({
    action: 'CreateSsoToken',
    client_id: CLIENT_ID,
    destination: 'clientarea:product_details',
    service_id: serviceId
  }))
  console.log(token.redirect_url)
}

main().catch(error => {
  console.error(`whmcs_js: ${error.message}`)
  process.exitCode = 1
})
