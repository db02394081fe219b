"""From the form to a session, through the layers: what browsers get, and when they get nothing."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from werkzeug.test import Client, TestResponse
from werkzeug.wrappers import Request, Response

from ssogate.crypto import Sealer
from ssogate.crypto.totp import recovery_key
from ssogate.directory import admit
from ssogate.directory.activity import By
from ssogate.directory.users import set_password
from ssogate.http import environ as env
from ssogate.http.cookies import cookies
from ssogate.login.second_factor import SECOND_FACTOR, SecondFactor
from ssogate.middleware.endpoints import Endpoints
from ssogate.middleware.sessions import Sessions
from ssogate.portal import Door, PasswordPage
from ssogate.sessions import Keeper, SessionSettings
from tests.login.forms import RIGHT, SHA1, SITE, WRONG, Site, forum
from tests.sessions.making import tokens
from tests.storage.making import NOW, Hands

RECOVERY = ["7k2m-x0dq-94rt-hb3w", "0000-1111-2222-3333"]


class Gate(Site):
    """Joe has a password; `owing` adds a second factor."""

    def __init__(self, folder: Path, **sources: Any) -> None:
        super().__init__(folder, **sources)
        self.joe = self.add(stored=SHA1)
        names = cookies(secure=True)
        sealer = Sealer([b"a sealing key of more than 32 characters"])
        factor = SecondFactor(
            self.store,
            sealer,
            self.password.throttle,
            self.clock,
            self.password.new_token,
            names.step.name,
        )
        settings = SessionSettings(idle=600, lifetime=3600)
        keeper = Keeper(self.store, partial(admit, self.store), self.clock, tokens(), settings)
        door = Door(self.store, self.chooser.challenge_url)
        change = PasswordPage(self.store, self.clock, self.password, 12)
        table = {
            **self.chooser.endpoints(),
            **factor.endpoints(),
            **door.endpoints(change.pages()),
        }
        self.app = Sessions(
            Endpoints(
                _page, table=table, keeper=keeper, cookies=names, second_factor=SECOND_FACTOR
            ),
            cookie=names.session.name,
            find=keeper.find,
        )

    def owing(self) -> None:
        keys = map(recovery_key, RECOVERY)
        self.store.secrets.set_second_factor(self.joe.identity.subject, "sealed", keys, NOW)

    def browser(self) -> Browser:
        return Browser(self.app)

    @property
    def names(self) -> list[str]:
        return sorted(who.canonical for _, who in self.store.sessions.listed())


class Browser(Client):
    """A visitor with cookies of their own."""

    def open(self, *args: Any, **options: Any) -> TestResponse:
        options.setdefault("base_url", SITE)
        return super().open(*args, **options)

    def send(self, path: str, **fields: str) -> TestResponse:
        return self.post(
            path,
            data=urlencode(fields),
            content_type="application/x-www-form-urlencoded",
            headers=[("Origin", SITE), ("Accept", "text/html")],
        )

    def sign_in(self, username: str = "joe", password: str = RIGHT) -> TestResponse:
        fields = {"username": username, "password": password, "return_to": "/page"}
        return self.send("/_sso/password", **fields)

    @property
    def who(self) -> str:
        return self.get("/page").get_data(as_text=True)

    @property
    def holds(self) -> list[str]:
        return sorted(name for _, _, name in self._cookies or {})


def _page(environ: Any, start_response: Any) -> Any:
    session = env.session(Request(environ).environ)
    return Response(session.identity.canonical if session else "")(environ, start_response)


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path)


def test_the_right_password_opens_a_session_and_makes_the_browser_known(gate: Gate) -> None:
    browser = gate.browser()

    response = browser.sign_in()

    assert (response.status_code, response.headers["Location"]) == (303, "/page")
    assert browser.who == "joe"
    assert browser.holds == ["__Host-ssogate", "__Host-ssogate-device"]
    assert gate.actions == ["sign-in.done"]


def test_a_wrong_one_gives_nothing(gate: Gate) -> None:
    browser = gate.browser()

    response = browser.sign_in(password=WRONG)

    assert response.status_code == 401
    assert (browser.who, browser.holds, gate.names) == ("", [], [])


def test_every_sign_in_has_a_new_session_and_ends_the_old(gate: Gate) -> None:
    browser = gate.browser()
    browser.sign_in()
    old = browser.get_cookie("__Host-ssogate", "app.example")
    browser.sign_in()
    new = browser.get_cookie("__Host-ssogate", "app.example")

    assert old
    assert new
    assert old.value != new.value
    thief = gate.browser()
    thief.set_cookie("__Host-ssogate", old.value, domain="app.example", secure=True)
    assert thief.who == ""


def test_the_owner_comes_in_whatever_strangers_do(gate: Gate) -> None:
    owner = gate.browser()
    owner.sign_in()
    for _ in range(12):
        gate.browser().sign_in(password=WRONG)

    assert gate.browser().sign_in().status_code == 429
    assert owner.sign_in().status_code == 303


def test_a_password_alone_is_half_a_sign_in(gate: Gate) -> None:
    gate.owing()
    browser = gate.browser()

    response = browser.sign_in()

    assert (response.status_code, response.headers["Location"]) == (303, SECOND_FACTOR)
    assert (browser.who, gate.names) == ("", [])
    assert browser.holds == ["__Host-ssogate-step"]


@pytest.mark.parametrize("code", ["", "000000", "wrong-recovery-code"])
def test_it_stays_half_without_the_code(gate: Gate, code: str) -> None:
    gate.owing()
    browser = gate.browser()
    browser.sign_in()

    for _ in range(2):
        browser.send(SECOND_FACTOR, code=code) if code else browser.send(SECOND_FACTOR)
        browser.get(SECOND_FACTOR)

    assert (browser.who, gate.names) == ("", [])


def test_the_code_makes_it_whole(gate: Gate) -> None:
    gate.owing()
    browser = gate.browser()
    browser.sign_in()

    response = browser.send(SECOND_FACTOR, code=RECOVERY[0])

    assert (response.status_code, response.headers["Location"]) == (303, "/page")
    assert browser.who == "joe"
    assert browser.holds == ["__Host-ssogate", "__Host-ssogate-device"]


def test_one_step_opens_one_session(gate: Gate) -> None:
    gate.owing()
    browser = gate.browser()
    browser.sign_in()
    step = browser.get_cookie("__Host-ssogate-step", "app.example")
    browser.send(SECOND_FACTOR, code=RECOVERY[0])
    assert step
    thief = gate.browser()
    thief.set_cookie("__Host-ssogate-step", step.value, domain="app.example", secure=True)

    thief.send(SECOND_FACTOR, code=RECOVERY[1])

    assert thief.who == ""
    assert gate.names == ["joe"]


def test_a_step_is_no_session(gate: Gate) -> None:
    gate.owing()
    browser = gate.browser()
    browser.sign_in()
    step = browser.get_cookie("__Host-ssogate-step", "app.example")
    assert step

    browser.set_cookie("__Host-ssogate", step.value, domain="app.example", secure=True)

    assert browser.who == ""


def test_a_new_password_ends_other_browsers_and_keeps_this_one(gate: Gate) -> None:
    here, there = gate.browser(), gate.browser()
    here.sign_in()
    there.sign_in()
    new = "a much better one"

    response = here.send("/_sso/account/password", current=RIGHT, new=new, again=new)

    assert response.status_code == 303
    assert (here.who, there.who) == ("joe", "")
    assert gate.browser().sign_in().status_code == 401
    assert gate.browser().sign_in(password=new).status_code == 303


def test_a_new_password_by_an_operator_counts_at_once(gate: Gate) -> None:
    browser = gate.browser()
    browser.sign_in()

    set_password(
        gate.store, gate.joe.identity.subject, "another sentence", by=By("cli:root"), now=NOW
    )

    assert browser.who == ""


def test_an_applications_person_becomes_a_user_once(tmp_path: Path) -> None:
    source = forum(tmp_path, Hands(), ("1", "Mia", SHA1, "mia@example.com", 1, "members"))
    gate = Gate(tmp_path, forum=source)

    for typed in ("mia", "MIA@example.com"):
        assert gate.browser().sign_in(typed).status_code == 303

    mia = gate.store.users.by_external_id("forum", "1")
    assert mia
    assert (mia.source, mia.identity.groups) == ("forum", frozenset({"members"}))
    assert gate.names == ["mia", "mia"]
