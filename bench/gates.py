"""Folders of gates that are measured: a policy, and a store with live sessions."""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from ssogate.http.cookies import session_key
from ssogate.model import Identity, SessionRecord, User
from ssogate.sessions.keeper import TOUCH_SECONDS
from ssogate.storage import SQLiteStore
from ssogate.storage.changes import MappedChanges

HOST = "127.0.0.1:8000"  # of the gate's public URL
SESSIONS = 4000  # of as many people
STORE = "var/ssogate.sqlite"


def gate_folder(
    place: Path,
    upstream: int,
    rules: int,
    *,
    sessions: int = SESSIONS,
    more: Mapping[str, int] | None = None,
) -> Sequence[str]:
    """Make a gate's folder; give the tokens of its sessions. What is below the paths of `more` is
    at other ports, which take any number of requests at a time."""
    (place / "policies").mkdir(parents=True)
    secret = place / "secret"
    secret.touch(0o600)
    secret.write_text(secrets.token_urlsafe(32))
    ports = {"/": upstream, **(more or {})}
    many = {"max_connections": 10_000}
    tree = {
        "public_url": f"http://{HOST}",
        "login": [{"kind": "signed_link", "name": "bench", "secrets": [{"file": "secret"}]}],
        "upstreams": {
            f"app{port}": {"url": f"http://127.0.0.1:{port}", **(many if path != "/" else {})}
            for path, port in ports.items()
        },
        "routes": [
            {"path": path, "upstream": f"app{port}", "websockets": "allow"}
            for path, port in ports.items()
        ],
        "trusted_proxies": ["127.0.0.1"],
    }
    (place / "gateway.yaml").write_text(json.dumps(tree))
    fillers = [
        {"name": f"rule {n}", "path": f"/area{n}/**", "allow": {"groups": [f"group{n}"]}}
        for n in range(rules - 1)
    ]
    last = {"name": "members", "path": "/members/**", "allow": {"groups": ["members"]}}
    (place / "policies" / "all.yaml").write_text(json.dumps({"rules": [*fillers, last]}))
    return _fill(SQLiteStore(place / STORE, clock=time.time), sessions)


def _fill(store: SQLiteStore, sessions: int) -> list[str]:
    now = int(time.time())
    tokens = []
    with closing(store), store.transaction():
        for number in range(sessions):
            name, token = f"user{number}", secrets.token_urlsafe(32)
            who = Identity(name, name, name, "A Name", "a@example.com", frozenset({"members"}))
            store.users.add(User(who, True, "bench", now, now))
            record = SessionRecord(session_key(token), name, "bench", "", now, now, now + 36_000)
            store.sessions.put(record)
            tokens.append(token)
    return tokens


def spread_uses(place: Path, tokens: Sequence[str]) -> None:
    """Let people have used the gate during the last minute. A use is written down if the last one
    that was is a minute ago: without this, a measurement would begin with thousands of those."""
    now = int(time.time())
    with closing(sqlite3.connect(place / STORE)) as store, store:
        store.executemany(
            "UPDATE sessions SET seen_at = ? WHERE key = ?",
            ((now - n % TOUCH_SECONDS, session_key(token)) for n, token in enumerate(tokens)),
        )
    # What the gate remembers is not so any more.
    changes = MappedChanges(place / f"{STORE}-changes")
    changes.finish(changes.start())


def fill_up(place: Path, sessions: int) -> None:
    """Add so many more sessions of the same people, which nobody uses."""
    with closing(sqlite3.connect(place / STORE)) as store, store:
        store.execute(
            """
            WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers LIMIT ?)
            INSERT INTO sessions (key, subject, method, proof, opened_at, seen_at, expires_at)
            SELECT lower(hex(randomblob(32))), subject, method, proof, opened_at, seen_at,
              expires_at
            FROM numbers CROSS JOIN (SELECT * FROM sessions LIMIT 1)
            """,
            (sessions,),
        )
