"""Whole sign-ins at a provider, by one and the same driver for whichever it is."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from contextlib import closing
from dataclasses import dataclass, replace
from http.client import HTTPConnection
from threading import Barrier, Thread
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import requests

DRIVERS = 8  # threads that sign in, each on a connection of its own
SECRET = secrets.token_urlsafe(48)  # of all clients
VERIFIER = secrets.token_urlsafe(32)
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=")
REDIRECT_URI = "https://app.example/callback"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ASKED = {
    "response_type": "code",
    "client_id": "app",
    "redirect_uri": REDIRECT_URI,
    "scope": "openid profile email",
    "code_challenge": CHALLENGE.decode(),
    "code_challenge_method": "S256",
}


@dataclass(frozen=True)
class Provider:
    """Where a provider is asked, and who has a session there."""

    port: int
    discovery: str
    authorize: str
    token: str
    jwks: str
    introspection: str
    cookie: str = ""

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


def basic(client: str) -> str:
    return "Basic " + base64.b64encode(f"{client}:{SECRET}".encode()).decode()


def sign_ins(provider: Provider, seconds: float) -> float:
    """Sign in by several threads for a while; give how many sign-ins a second that were."""
    done, failed = [0] * DRIVERS, [""] * DRIVERS
    together = Barrier(DRIVERS + 1)

    def drive(number: int) -> None:
        with closing(HTTPConnection("127.0.0.1", provider.port, timeout=30)) as connection:
            together.wait()
            end = time.perf_counter() + seconds
            try:
                while time.perf_counter() < end:
                    _sign_in(connection, provider)
                    done[number] += 1
            except Exception as error:
                failed[number] = f"{type(error).__name__}: {error}"

    threads = [Thread(target=drive, args=(number,)) for number in range(DRIVERS)]
    for thread in threads:
        thread.start()
    together.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    if any(failed):
        raise SystemExit(f"a sign-in failed: {max(failed)}")
    return sum(done) / (time.perf_counter() - began)


def _sign_in(connection: HTTPConnection, provider: Provider) -> None:
    """Ask for a code as the browser, and for tokens as the client. Raises `ValueError`."""
    asks = {**ASKED, "state": secrets.token_urlsafe(16), "nonce": secrets.token_urlsafe(16)}
    path = f"{provider.authorize}?{urlencode(asks)}"
    connection.request("GET", path, headers={"Cookie": provider.cookie})
    answer = connection.getresponse()
    answer.read()
    came = {name: value for name, (value,) in parse_qs(_query(answer.headers["Location"])).items()}
    if came.get("state") != asks["state"] or "code" not in came:
        raise ValueError(f"no code: {answer.status} {answer.headers['Location']}")
    form = {
        "grant_type": "authorization_code",
        "code": came["code"],
        "redirect_uri": REDIRECT_URI,
        "code_verifier": VERIFIER,
    }
    headers = {**FORM, "Authorization": basic("app")}
    connection.request("POST", provider.token, urlencode(form), headers)
    tokens = json.loads(connection.getresponse().read())
    if not {"access_token", "id_token"} <= tokens.keys():
        raise ValueError(f"no tokens: {tokens}")


def _query(url: str | None) -> str:
    return urlsplit(url or "").query


def signed_in(peer: Provider) -> Provider:
    """Sign in at oidc-provider's own pages, once; give it with the cookies of that."""
    browser = requests.Session()
    url = f"{peer.url(peer.authorize)}?{urlencode(ASKED)}"
    for typed in ({"prompt": "login", "login": "sue", "password": "x"}, {"prompt": "consent"}):
        page = _followed(browser, url)
        answer = browser.post(page, typed, allow_redirects=False, timeout=10)
        url = urljoin(page, answer.headers["Location"])
    _followed(browser, url)
    jar = [(it.name, it.value) for it in browser.cookies if it.path == "/"]
    return replace(peer, cookie="; ".join(f"{name}={value}" for name, value in jar))


def _followed(browser: requests.Session, url: str) -> str:
    """Follow redirects up to a page, or to where the client would be."""
    while not url.startswith(REDIRECT_URI):
        answer = browser.get(url, allow_redirects=False, timeout=10)
        if not answer.is_redirect:
            break
        url = urljoin(url, answer.headers["Location"])
    return url
