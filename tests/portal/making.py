"""Somebody who is signed in, before pages of their own."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from werkzeug.wrappers import Request, Response

from ssogate.crypto import Sealer
from ssogate.http import environ as env
from ssogate.http.cookies import session_key
from ssogate.login.second_factor import SecondFactor
from ssogate.model import Endpoint, LocalPath, Reply, Session, SessionRecord, User
from ssogate.portal import (
    AccountPage,
    Door,
    PasswordPage,
    SecondFactorPage,
    SignOutPage,
    SwitchForm,
    SwitchPage,
)
from tests.login.forms import SHA1, Site, environ, token
from tests.storage.making import NOW

IDLE = 600
SIGNED_OUT = "/_sso/signed-out"
KEYS = [b"a sealing key of more than 32 characters"]


class Home(Site):
    """Joe's pages. Random bytes are foreseeable."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.joe = self.add(stored=SHA1)
        self.session = self.opened(self.joe, 1)
        self.sealer: Sealer | None = Sealer(KEYS)
        tokens = count(50)
        self.new_token = lambda: token(next(tokens))
        self.random: Callable[[int], bytes] = Random(1).randbytes

    def opened(self, user: User, number: int, *, method: str = "password", **times: int) -> Session:
        """Open a session."""
        at = times.get("at", NOW)
        record = SessionRecord(
            session_key(token(number)),
            user.identity.subject,
            method,
            "",
            at,
            times.get("seen", at),
            times.get("ends", NOW + 3600),
        )
        self.store.sessions.put(record)
        return Session(record, user.identity, token(number))

    def table(self) -> dict[str, Endpoint]:
        door = Door(self.store, _challenge)
        account = AccountPage(
            store=self.store,
            clock=self.clock,
            idle=IDLE,
            labels={"password": "your password"},
            passwords=self.password,
            sealer=self.sealer,
        )
        password = PasswordPage(self.store, self.clock, self.password, minimum=12)
        switch = SwitchPage(self.store, self.clock)
        pages = {**account.pages(), **password.pages(), **switch.pages()}
        if self.sealer:
            factor = SecondFactorPage(
                store=self.store,
                clock=self.clock,
                passwords=self.password,
                codes=self.codes(),
                sealer=self.sealer,
                issuer="app.example",
                random=self.random,
                new_token=self.new_token,
            )
            pages |= factor.pages()
        form = SwitchForm(switch, door, "/billing")
        own = {**door.endpoints(pages), **SignOutPage(SIGNED_OUT).endpoints()}
        return {**own, **form.endpoints()}

    def codes(self) -> SecondFactor:
        return SecondFactor(
            self.store,
            self.sealer,
            self.password.throttle,
            self.clock,
            self.new_token,
            step_cookie="__Host-ssogate-step",
        )

    def visit(
        self, path: str, fields: Any = None, *, session: Session | None = None, **sent: Any
    ) -> Reply:
        """Open a page, as Joe if nobody else is named."""
        asked = environ(path, fields, **sent)
        asked[env.SESSION] = session or self.session
        reply = self.table()[path.partition("?")[0]](Request(asked))
        assert reply is not None
        return reply

    def text(self, path: str, fields: Any = None, status: int = 200, **sent: Any) -> str:
        reply = self.visit(path, fields, **sent)
        assert isinstance(reply, Response)
        assert reply.status_code == status
        assert reply.headers["Cache-Control"] == "no-store"
        return reply.get_data(as_text=True)


def _challenge(return_to: LocalPath) -> str:
    return f"/_sso/sign-in?return_to={return_to.text}"


def sent_to(reply: Reply | None, location: str) -> bool:
    assert isinstance(reply, Response)
    return (reply.status_code, reply.headers.get("Location")) == (303, location)
