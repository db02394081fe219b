"""A program on somebody's own computer that signs them in at the gate in their browser, by
requests-oauthlib (`pip install requests-oauthlib`):

    ISSUER=https://app.example CLIENT_ID=… python requests_oauthlib_native.py

It is a public client, as every native app is (RFC 8252): it has no secret, it proves by PKCE that
the code is its own, and it waits for the answer on any free port of this computer. The library
knows no ID tokens; who signed in, the gate tells at its userinfo endpoint.
"""

from __future__ import annotations

import os
import webbrowser
from hmac import compare_digest
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar
from urllib.parse import parse_qsl, urlsplit

import requests
from requests_oauthlib import OAuth2Session

ISSUER, CLIENT_ID = os.environ["ISSUER"], os.environ["CLIENT_ID"]
SCOPE = ["openid", "profile", "email", "offline_access"]
SECONDS = 10


class Landing(BaseHTTPRequestHandler):
    """Takes the one answer that the browser brings."""

    answer: ClassVar[dict[str, str]] = {}

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        known = url.path == "/callback"
        self.send_response(200 if known else 404)
        self.end_headers()
        self.wfile.write(b"You may close this window now.\n")
        if known:
            Landing.answer = dict(parse_qsl(url.query))

    def log_message(self, *_: object) -> None:
        """Keep the code out of the terminal."""


gate = requests.get(f"{ISSUER}/.well-known/openid-configuration", timeout=SECONDS).json()
if gate["issuer"] != ISSUER:
    raise SystemExit("That is another issuer.")

with HTTPServer(("127.0.0.1", 0), Landing) as here:
    redirect_uri = f"http://127.0.0.1:{here.server_port}/callback"
    session = OAuth2Session(CLIENT_ID, redirect_uri=redirect_uri, scope=SCOPE, pkce="S256")
    url, state = session.authorization_url(gate["authorization_endpoint"])
    print(f"Open this, if no browser does: {url}", flush=True)
    webbrowser.open(url)
    while not Landing.answer:
        here.handle_request()

answer = Landing.answer
# RFC 9207: `iss` says that the answer is this gate's, and not some other server's.
if answer.get("iss") != ISSUER or not compare_digest(answer.get("state", ""), state):
    raise SystemExit("That answer is to another question.")
if "code" not in answer:
    raise SystemExit(f"The gate says: {answer.get('error')}")

session.fetch_token(
    gate["token_endpoint"], code=answer["code"], include_client_id=True, timeout=SECONDS
)
who = session.get(gate["userinfo_endpoint"], timeout=SECONDS).json()
print(f"Signed in as {who['name']}, {who['email']}.")

first = session.token
second = session.refresh_token(gate["token_endpoint"], client_id=CLIENT_ID, timeout=SECONDS)
if first["refresh_token"] == second["refresh_token"]:
    raise SystemExit("The gate did not give another refresh token.")
again = session.get(gate["userinfo_endpoint"], timeout=SECONDS).json()
print(f"Still signed in as {again['name']}, by another token.")

ended = requests.post(
    gate["revocation_endpoint"],
    {"token": second["refresh_token"], "client_id": CLIENT_ID},
    timeout=SECONDS,
)
ended.raise_for_status()
refused = session.get(gate["userinfo_endpoint"], timeout=SECONDS)
print(f"Signed out: the gate answers {refused.status_code}.")
