"""The OpenID Connect provider beside npm oidc-provider, on the same work in one run.

Strategy: one worker process of the gate with the shipped worker class, on SQLite (and another one
as `make compiled` builds it, if that is there), and one process of oidc-provider, which keeps all
in its memory. Round by round each is asked for the same thing in
turn, by `wrk`, or for whole sign-ins by one and the same driver: who has a live session at the
provider asks for a code, and the client exchanges it for tokens (RS256). An answer that is not the
right one ends the run. What counts are the ratios within a round.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import requests
from measuring import CONNECTIONS, HERE, PROJECT, THREADS, free_port, gunicorn, process
from peers.servers import COMPILED_PYTHON
from sign_ins import DRIVERS, FORM, REDIRECT_URI, SECRET, Provider, basic, sign_ins, signed_in
from tokens import wrk

from ssogate.crypto.random_secrets import digest
from ssogate.http.cookies import session_key
from ssogate.model import Client, GrantType, Identity, SessionRecord, User
from ssogate.storage import SQLiteStore


@dataclass(frozen=True)
class Work:
    name: str
    rate: Callable[[Provider, float], float]
    """Gives what a provider does a second, in a measurement of so many seconds."""
    aim: int
    rounds: list[tuple[float, ...]] = field(default_factory=list)
    """What each of the gates did, and oidc-provider did last."""


def main() -> int:
    """Write all rates to bench/provider.md."""
    options = argparse.ArgumentParser(description="Measure the provider beside oidc-provider.")
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--seconds", type=int, default=2, help="of each measurement")
    asked = options.parse_args()
    with ExitStack() as servers:
        place = Path(servers.enter_context(tempfile.TemporaryDirectory()))
        pythons = [None, *(python for python in [COMPILED_PYTHON] if python.exists())]
        asked_of = [_gate(servers, place / str(python is None), python) for python in pythons]
        asked_of.append(_peer(servers))
        works = _works(place)
        for number in range(asked.rounds + 1):  # the first round warms up and is not counted
            for work in works:
                found = tuple(work.rate(provider, asked.seconds) for provider in asked_of)
                work.rounds.extend([found] if number else [])
                here = f"round {number}/{asked.rounds}  {work.name:<20}"
                ours = ", ".join(f"{rate:.0f}/s" for rate in found[:-1])
                print(f"{here} {ours:>16} beside {found[-1]:.0f}/s", flush=True)
    _write(works, asked.rounds, asked.seconds)
    return 0


# --- The work ------------------------------------------------------------------------------------


def _works(place: Path) -> list[Work]:
    def get(path: Callable[[Provider], str], holds: str) -> Callable[[Provider, float], float]:
        script = _RIGHT.replace("HOLDS", holds)
        return lambda provider, seconds: wrk(
            place, provider.port, path(provider), script, seconds=seconds
        )

    def client_credentials(provider: Provider, seconds: float) -> float:
        asks = {"grant_type": "client_credentials", "scope": "files:read"}
        script = _posting("robot", asks, '"access_token"')
        return wrk(place, provider.port, provider.token, script, seconds=seconds)

    def introspection(provider: Provider, seconds: float) -> float:
        asks = {"token": _access_token(provider)}
        script = _posting("robot", asks, '"active": ?true')
        return wrk(place, provider.port, provider.introspection, script, seconds=seconds)

    return [
        Work("discovery", get(lambda it: it.discovery, '"issuer"'), 1500),
        Work("JWKS", get(lambda it: it.jwks, '"kid"'), 1500),
        Work("client_credentials", client_credentials, 800),
        Work("introspection", introspection, 1000),
        Work("a whole sign-in", sign_ins, 150),
    ]


_RIGHT = """
response = function(status, headers, body)
  if status ~= 200 or not body:find('HOLDS') then error(status .. body) end
end
"""


def _posting(client: str, asks: dict[str, str], holds: str) -> str:
    """A script of wrk's that posts a form as a client."""
    headers = {**FORM, "Authorization": basic(client)}
    lines = [f'wrk.method, wrk.body = "POST", "{urlencode(asks)}"']
    lines += [f'wrk.headers["{name}"] = "{value}"' for name, value in headers.items()]
    return "\n".join(lines) + _RIGHT.replace("HOLDS", holds)


def _access_token(provider: Provider) -> str:
    asks = {"grant_type": "client_credentials", "scope": "files:read"}
    url, auth = provider.url(provider.token), ("robot", SECRET)
    answer = requests.post(url, asks, auth=auth, timeout=10)
    return str(answer.json()["access_token"])


# --- The providers -------------------------------------------------------------------------------


def _gate(servers: ExitStack, place: Path, python: Path | None = None) -> Provider:
    (place / "policies").mkdir(parents=True)
    rule = {"name": "members", "path": "/**", "allow": "signed_in"}
    (place / "policies" / "all.yaml").write_text(json.dumps({"rules": [rule]}))
    key = place / "sealing-key"
    key.touch(0o600)
    key.write_text(secrets.token_urlsafe(32))
    tree = {
        "public_url": "http://127.0.0.1:8000",
        "login": [{"kind": "password"}],
        "sealing_keys": [{"file": "sealing-key"}],
        "provider": {"resources": {"https://files.example/": {"scopes": ["files:read"]}}},
        "upstreams": {"app": {"url": f"http://127.0.0.1:{free_port()}"}},
        "routes": [{"path": "/", "upstream": "app"}],
    }
    (place / "gateway.yaml").write_text(json.dumps(tree))
    token = _fill(SQLiteStore(place / "var" / "ssogate.sqlite", clock=time.time))
    served = gunicorn(place, "ssogate.app:gateway()", place, python=python)
    port, _ = servers.enter_context(served)
    return Provider(
        port,
        "/.well-known/openid-configuration",
        "/oauth/authorize.php",
        "/oauth/token.php",
        "/oauth/certs.php",
        "/oauth/introspect.php",
        f"ssogate={token}",
    )


def _fill(store: SQLiteStore) -> str:
    """Add the clients, and a user with a session; give its token."""
    now, token = int(time.time()), secrets.token_urlsafe(32)
    who = Identity("0d1f9d52-7a0b-4f0e-9a54-0d8a0a6f6f11", "sue", "sue", "Sue Baker", "s@x.example")
    with closing(store), store.transaction():
        store.users.add(User(who, True, "bench", now, now))
        record = SessionRecord(session_key(token), who.subject, "bench", "", now, now, now + 36_000)
        store.sessions.put(record)
        store.clients.add(_client("app", GrantType.AUTHORIZATION_CODE, now))
        store.clients.add(_client("robot", GrantType.CLIENT_CREDENTIALS, now))
    return token


def _client(name: str, grant: GrantType, now: int) -> Client:
    for_people = grant is GrantType.AUTHORIZATION_CODE
    return Client(
        0,
        name,
        digest(SECRET),
        grant,
        name,
        None,
        frozenset({"openid", "profile", "email"} if for_people else {"files:read"}),
        "",
        "",
        (REDIRECT_URI,) if for_people else (),
        now,
        now,
        trusted=True,
        resources=() if for_people else ("https://files.example/",),
    )


def _peer(servers: ExitStack) -> Provider:
    port = free_port()
    clients = [
        {"client_id": "app", "client_secret": SECRET, "redirect_uris": [REDIRECT_URI]},
        {
            "client_id": "robot",
            "client_secret": SECRET,
            "redirect_uris": [],
            "response_types": [],
            "grant_types": ["client_credentials"],
            "scope": "files:read",
        },
    ]
    environ = {"ISSUER": f"http://127.0.0.1:{port}", "CLIENTS": json.dumps(clients)}
    environ["NODE_ENV"] = "production"
    command = ["node", str(HERE / "oidc_provider.mjs")]
    servers.enter_context(process(command, port, cwd=PROJECT, env=environ))
    peer = Provider(
        port,
        "/.well-known/openid-configuration",
        "/auth",
        "/token",
        "/jwks",
        "/token/introspection",
        "",
    )
    return signed_in(peer)


# --- The table -----------------------------------------------------------------------------------


def _write(works: Sequence[Work], rounds: int, seconds: int) -> None:
    lines = [
        "# What signing in to applications costs",
        "",
        f"`make bench` on {platform.machine()} with {os.cpu_count()} cores, Python "
        f"{platform.python_version()}: one worker process with {THREADS} threads, on SQLite, "
        "beside one process of npm oidc-provider, in memory. Kept-alive connections: "
        f"{CONNECTIONS}, and {DRIVERS} for sign-ins; medians of {rounds} rounds of {seconds} s. "
        "Load and server share the cores.",
        "",
        "| | a second | oidc-provider | × oidc-provider | min … max | aim |",
        "|---|---|---|---|---|---|",
    ]
    for work in works:
        *gates, theirs = zip(*work.rounds, strict=True)
        for name, ours in zip((work.name, "… compiled"), gates, strict=False):
            ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
            lines.append(
                f"| {name} | {statistics.median(ours):.0f} | {statistics.median(theirs):.0f} "
                f"| {statistics.median(ratios):.2f} | {min(ratios):.2f} … {max(ratios):.2f} "
                f"| {work.aim} |"
            )
    text = "\n".join(lines) + "\n"
    (HERE / "provider.md").write_text(text)
    print(f"\n{text}\nwritten to bench/provider.md")


if __name__ == "__main__":
    sys.exit(main())
