"""A sign-in page with a password form before a real store, and what its visitors send."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from argon2 import PasswordHasher
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request, Response

from ssogate.crypto import hash_password
from ssogate.directory.legacy import LegacySettings, LegacySource
from ssogate.http.cookies import session_key
from ssogate.login.chooser import Chooser
from ssogate.login.form import Typed
from ssogate.login.password import Password, PasswordSettings, People
from ssogate.login.password.pace import Pace
from ssogate.login.throttle import Throttle
from ssogate.model import LocalPath, SignIn, User
from ssogate.storage import SQLiteStore
from tests.storage.making import NOW, Hands, user

SITE = "https://app.example"
DEVICE = "__Host-ssogate-device"
RIGHT = "correct horse battery staple"
WRONG = "incorrect horse"
HASH = hash_password(RIGHT)
SHA1 = "{SHA}q/eq1kOINtvlJqojGr3i0O73TUI="  # of RIGHT too, and verified in no time


def token(number: int) -> str:
    return f"{number:043d}"


def environ(
    path: str = "/_sso/password",
    fields: Mapping[str, str] | list[tuple[str, str]] | None = None,
    *,
    client: str = "192.0.2.1",
    cookie: str = "",
    **headers: str,
) -> dict[str, Any]:
    """What a browser sends: a form of ours if there are `fields`."""
    sent = {"Accept": "text/html", **{name.replace("_", "-"): v for name, v in headers.items()}}
    if fields is not None:
        sent = {"Origin": SITE, "Sec-Fetch-Site": "same-origin", **sent}
    if cookie:
        sent["Cookie"] = cookie
    pairs = list(fields.items()) if isinstance(fields, Mapping) else fields
    builder = EnvironBuilder(
        path=path,
        method="GET" if pairs is None else "POST",
        base_url=SITE,
        headers=list(sent.items()),
        environ_base={"REMOTE_ADDR": client},
        data=None if pairs is None else urlencode(pairs).encode(),
        content_type=None if pairs is None else "application/x-www-form-urlencoded",
    )
    return builder.get_environ()


class Site:
    """One process of a gate. `slept` is how long its answers were held back, `elapsed` how long
    anything takes by its clock."""

    def __init__(self, folder: Path, **sources: LegacySource) -> None:
        self.clock = Hands()
        self.store = SQLiteStore(folder / "gate.db", clock=self.clock)
        self.slept: list[float] = []
        self.elapsed = 0.1
        ticks, tokens = count(), count(1)
        self.password = Password(
            settings=PasswordSettings(kind="password"),
            people=People(self.store, sources),
            throttle=Throttle(self.store, self.clock, DEVICE),
            clock=self.clock,
            new_token=lambda: token(next(tokens)),
            pace=Pace(sleep=self.slept.append, monotonic=lambda: next(ticks) * self.elapsed),
        )
        self.chooser = Chooser([self.password])

    def add(self, name: str = "joe", stored: str = HASH, **changes: Any) -> User:
        made = replace(user(name, source=changes.pop("source", "")), **changes)
        assert self.store.users.add(made)
        if stored:
            self.store.secrets.set_password(made.identity.subject, stored, NOW)
        return made

    def device(self, of: User, number: int = 7) -> str:
        """Let a browser be known; gives its cookie."""
        self.store.secrets.add_device(of.identity.subject, session_key(token(number)), NOW)
        return f"{DEVICE}={token(number)}"

    def sign_in(self, username: str = "joe", password: str = RIGHT, **sent: Any) -> SignIn:
        return self.password.sign_in(
            Typed(username, password, LocalPath("/page")), environ(fields={}, **sent)
        )

    def answer(self, environ: dict[str, Any]) -> Any:
        return self.chooser.endpoints()[environ["PATH_INFO"]](Request(environ))

    def page(self, environ: dict[str, Any]) -> Response:
        reply = self.answer(environ)
        assert isinstance(reply, Response)
        return reply

    @property
    def actions(self) -> list[str]:
        return [line.action for line in self.store.activity.listed()]


class Argon2:
    """Counts verifications by argon2."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        verify = PasswordHasher.verify

        def counting(hasher: PasswordHasher, stored: Any, password: Any) -> Any:
            self.count += 1
            return verify(hasher, stored, password)

        monkeypatch.setattr(PasswordHasher, "verify", counting)


def forum(folder: Path, clock: Hands, *rows: tuple[Any, ...]) -> LegacySource:
    """A legacy source: rows are id, username, password, email, active, group."""
    with sqlite3.connect(folder / "forum.db") as database:
        database.execute("CREATE TABLE people (id, username, password, email, active, team)")
        database.executemany("INSERT INTO people VALUES (?, ?, ?, ?, ?, ?)", rows)
    database.close()
    settings = LegacySettings(
        name="forum",
        url="sqlite:///forum.db",
        user="SELECT id, username, password, email, active FROM people"
        " WHERE lower(username) = lower(:name) OR lower(email) = lower(:name)",
        groups="SELECT team FROM people WHERE id = :id",
        groups_allowed=("members",),
    )
    return LegacySource(settings, base=folder, clock=clock)
