/* A small web application that knows nothing of OpenID Connect: two pages, and who is signed in,
   which stands in the process's memory. `serve` is told by a library's script how people come in:

     login()             gives where to send them, and what to keep until they are back
     callback(url, kept) gives who came back: { sub, sid, name, email } and what the library needs
     refresh(who)        gives the same, asked for anew
     logout(who)         gives where to send them to be signed out at the gate, too
     signedOut(token)    gives the sid of a session that the gate says has ended */

import { randomBytes, webcrypto } from 'node:crypto'
import { createServer } from 'node:http'

// Node.js 18 has them, though not by these names.
globalThis.crypto ??= webcrypto
globalThis.CryptoKey ??= webcrypto.CryptoKey

const { PORT } = process.env

export const HERE = `http://localhost:${PORT}`

const COOKIE = `calendar-${PORT}` // cookies know no ports, and there may be more of us

const sessions = new Map()

const escaped = (text) => String(text).replace(/[&<>"']/g, (it) => `&#${it.codePointAt()};`)

function home (who) {
  const said = who
    ? `<p>Signed in as ${escaped(who.name)}, ${escaped(who.email)}.</p>
<p>Refreshed ${who.refreshed} times.</p>
<p><a href="/refresh">Refresh</a> <a href="/logout">Sign out</a></p>`
    : '<p>Nobody is signed in.</p>\n<p><a href="/login">Sign in</a></p>'
  const title = 'Club calendar'
  return `<!doctype html><html lang="en"><title>${title}</title><h1>${title}</h1>\n${said}`
}

async function form (request) {
  let body = ''
  for await (const block of request) {
    body += block
    if (body.length > 16384) throw new Error('too long')
  }
  return new URLSearchParams(body)
}

const routes = (ways) => ({
  'GET /': ({ session, answer }) => answer(200, home(session.who)),

  'GET /login': async ({ session, open, to }) => {
    const { url, kept } = await ways.login()
    open().kept = kept
    to(url)
  },

  'GET /callback': async ({ session, open, to, url }) => {
    const { kept } = session
    delete session.kept // one answer to one question
    const who = await ways.callback(url, kept)
    open().who = { ...who, refreshed: 0 } // a new session: nobody can have chosen its key
    to('/')
  },

  'GET /refresh': async ({ session, to }) => {
    const refreshed = session.who.refreshed + 1
    session.who = { ...(await ways.refresh(session.who)), refreshed }
    to('/')
  },

  'GET /logout': async ({ session, to }) => {
    const { who } = session
    delete session.who
    to(who ? await ways.logout(who) : '/')
  },

  'POST /backchannel-logout': async ({ request, answer }) => {
    const sid = await ways.signedOut((await form(request)).get('logout_token') ?? '')
    for (const [key, { who }] of sessions) if (who?.sid === sid) sessions.delete(key)
    answer(204)
  }
})

export function serve (ways) {
  const table = routes(ways)
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, HERE)
    const cookies = new URLSearchParams(request.headers.cookie?.replace(/; /g, '&'))
    const key = cookies.get(COOKIE)
    const answer = (status, page = '') => {
      response.writeHead(status, { 'Content-Type': 'text/html; charset=utf-8' }).end(page)
    }
    const open = () => {
      sessions.delete(key)
      const made = { key: randomBytes(32).toString('base64url') }
      sessions.set(made.key, made)
      response.setHeader('Set-Cookie', `${COOKIE}=${made.key}; HttpOnly; SameSite=Lax; Path=/`)
      return made
    }
    const to = (location) => response.writeHead(303, { Location: String(location) }).end()
    const route = table[`${request.method} ${url.pathname}`]
    try {
      if (!route) return answer(404)
      await route({ request, url, session: sessions.get(key) ?? {}, answer, open, to })
    } catch (error) {
      console.error(error)
      answer(400, `<p>That did not work: ${escaped(error.error ?? error.code ?? error.name)}</p>`)
    }
  })
  server.listen(PORT, '127.0.0.1', () => console.log(`Club calendar on ${HERE}`))
}
