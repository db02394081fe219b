"""One-time tokens a second, made by the API and redeemed, through gunicorn on SQLite.

Strategy: the shipped worker class with two processes; round by round, `wrk` posts CreateSsoToken,
redeems tokens that were made a moment before, each once, and asks gunicorn's own hello-world, with
as many processes. An answer that is not the right one ends the run. Nothing here waits for the
disk: `directory.sso_tokens` says why no power cut doubles a token.
"""

from __future__ import annotations

import json
import os
import platform
import re
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import urlencode

from measuring import CONNECTIONS, HERE, THREADS, free_port, gunicorn

from ssogate.directory.activity import By
from ssogate.directory.clients import add_api_credential
from ssogate.directory.sso_tokens import provision
from ssogate.model import (
    Account,
    AccountStatus,
    ApiCredential,
    ApiRole,
    Identity,
    LocalPath,
    Membership,
    User,
)
from ssogate.storage import SQLiteStore

ACCOUNTS, TOKENS = 500, 5000
ROUNDS, SECONDS, WORKERS = 7, 2, 2
BY = By("bench")

_CREATE = """
wrk.method, wrk.body = "POST", "BODY"
wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
response = function(status, headers, body)
  if not body:find('"result":"success"') then error(body) end
end
"""
_REDEEM = """
local tokens, n = {TOKENS}, 0
request = function()
  n = n + 1
  return wrk.format("GET", "/oauth/singlesignon.php?access_token=" .. (tokens[n] or "none"))
end
response = function(status) if status ~= 303 and n <= #tokens then error(status) end end
"""


def main() -> int:
    """Write all rates to bench/tokens.md."""
    rates: list[tuple[float, float, float]] = []
    with ExitStack() as servers:
        place = Path(servers.enter_context(tempfile.TemporaryDirectory()))
        asking = _CREATE.replace("BODY", _gate(place))
        gate, _ = servers.enter_context(
            gunicorn(place, "ssogate.app:gateway()", place, workers=WORKERS)
        )
        hello, _ = servers.enter_context(gunicorn(place, "hello:app", HERE, workers=WORKERS))
        for number in range(ROUNDS + 1):  # the first round warms up and is not counted
            made = wrk(place, gate, "/includes/api.php", asking)
            tokens = ",".join(f'"{token}"' for token in _tokens(place))
            redeemed = wrk(place, gate, "/", _REDEEM.replace("TOKENS", tokens))
            rates += [(made, redeemed, wrk(place, hello, "/", ""))][: min(number, 1)]
            print(f"round {number}/{ROUNDS}  {made:.0f} made, {redeemed:.0f} redeemed a second")
    _write(rates)
    return 0


def _write(rates: Sequence[tuple[float, float, float]]) -> None:
    lines = [
        "# What one-time tokens cost",
        "",
        f"`make bench` on {platform.machine()} with {os.cpu_count()} cores, Python "
        f"{platform.python_version()}: {WORKERS} workers with {THREADS} threads, {CONNECTIONS} "
        f"kept-alive connections, SQLite, medians of {ROUNDS} rounds of {SECONDS} s. Load and "
        "server share the cores.",
        "",
        "| | a second | × hello-world | min … max |",
        "|---|---|---|---|",
    ]
    for name, rate in (("CreateSsoToken", 0), ("redemption", 1), ("gunicorn's hello-world", 2)):
        found = [each[rate] for each in rates]
        ratio = statistics.median(each[rate] / each[2] for each in rates)
        lines.append(
            f"| {name} | {statistics.median(found):.0f} | {ratio:.2f} "
            f"| {min(found):.0f} … {max(found):.0f} |"
        )
    text = "\n".join(lines) + "\n"
    (HERE / "tokens.md").write_text(text)
    print(f"\n{text}\nwritten to bench/tokens.md")


def _gate(place: Path) -> str:
    """Make a gate's folder with accounts and a credential; give what asks for a token."""
    (place / "policies").mkdir()
    rule = {"name": "members", "path": "/**", "allow": "signed_in"}
    (place / "policies" / "all.yaml").write_text(json.dumps({"rules": [rule]}))
    tree = {
        "public_url": "http://127.0.0.1:8000",
        "login": [{"kind": "sso_token"}],
        "api": {"networks": ["127.0.0.1/32"]},
        "upstreams": {"app": {"url": f"http://127.0.0.1:{free_port()}"}},
        "routes": [{"path": "/", "upstream": "app"}],
    }
    (place / "gateway.yaml").write_text(json.dumps(tree))
    now = int(time.time())
    with closing(_store(place)) as store, store.transaction():
        for number in range(1, ACCOUNTS + 1):
            name = f"user{number}"
            store.users.add(User(Identity(name, name, name), True, "", now, now))
            store.accounts.add(Account(0, name, "", AccountStatus.ACTIVE, True, now, now))
            store.memberships.put(Membership(number, name, owner=True))
        store.api_roles.add(ApiRole(0, "sso", frozenset({"createssotoken"})))
        drawn = ApiCredential(0, "", "", "bench", frozenset({"sso"}), (), frozenset(), True, now)
        credential, secret = add_api_credential(
            store, drawn, random=secrets.token_bytes, by=BY, now=now
        )
    fields = {"identifier": credential.identifier, "secret": secret, "client_id": "7"}
    return urlencode({**fields, "action": "CreateSsoToken", "responsetype": "json"})


def _tokens(place: Path) -> Iterator[str]:
    now = int(time.time())
    with closing(_store(place)) as store, store.transaction():
        for number in range(TOKENS):
            owner = store.memberships.owner(number % ACCOUNTS + 1)
            assert owner
            yield provision(
                store,
                owner,
                scope="",
                service=None,
                domain=None,
                target=LocalPath("/clientarea.php"),
                new_token=lambda: secrets.token_hex(20),
                by=BY,
                now=now,
            )


def _store(place: Path) -> SQLiteStore:
    return SQLiteStore(place / "var" / "ssogate.sqlite", clock=time.time)


def wrk(place: Path, port: int, path: str, script: str, *, seconds: float = SECONDS) -> float:
    lua = place / "load.lua"
    lua.write_text(script)
    url = f"http://127.0.0.1:{port}{path}"
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(lua), url]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said.stdout)
    if rate is None or "error" in said.stderr or "Non-2xx" in said.stdout:
        raise SystemExit(said.stdout + said.stderr)
    return float(rate[1])


if __name__ == "__main__":
    sys.exit(main())
