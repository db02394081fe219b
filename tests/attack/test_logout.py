"""Signing out, over real sockets and with several processes: no other site's page does it, no
address that nobody registered is led to, and whoever was let in by a session hears of its end."""

from __future__ import annotations

import re
import secrets
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from ssogate.crypto.jwk import verify
from ssogate.directory.logouts import join_session
from ssogate.gate import signing_keys
from ssogate.http.cookies import session_key
from ssogate.model import Client, Grant, GrantType, User
from ssogate.provider.addresses import END_SESSION
from ssogate.provider.issuer import sid_of
from ssogate.provider.logout.end_session import CONFIRM
from ssogate.provider.logout.logout_token import EVENT
from tests.attack.house import OURS, SESSION, Browser, House, at_once, house_at
from tests.attack.stage import GTHREAD, PAGE
from tests.launch.tls import Authority, Listener, Request, authority
from tests.login.forms import SITE
from tests.servers import Answer, Gunicorn

pytestmark = pytest.mark.server

BYE = "https://wiki.example/bye"
OTHER_SITE = ("Origin: https://evil.example", "Sec-Fetch-Site: cross-site")
LINK = ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate")
FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@dataclass
class Town:
    """A gate, and the place where its clients are told of logouts, over TLS."""

    house: House
    listener: Listener

    def client(self, **fields: Any) -> Client:
        name = secrets.token_hex(8)
        blank = Client(
            0,
            name,
            "0" * 64,
            GrantType.AUTHORIZATION_CODE,
            "Wiki",
            None,
            frozenset({"openid"}),
            "",
            "",
            ("https://wiki.example/back",),
            0,
            0,
            post_logout_redirect_uris=(BYE,),
            backchannel_logout_uri=f"https://127.0.0.1:{self.listener.port}/{name}",
        )
        return self.house.store.clients.add(replace(blank, **fields))

    def told(self, client: Client) -> list[Request]:
        path = f"/{client.identifier}"
        return [request for request in self.listener.requests if request.target == path]

    def claims(self, client: Client) -> Any:
        """What the client is told, once it is."""
        until(lambda: self.told(client))
        (request,) = self.told(client)
        ((_, token),) = parse_qsl(request.body.decode(), strict_parsing=True)
        keys = signing_keys(self.house.parts)
        assert keys
        return verify(
            token,
            keys.public(),
            issuer=SITE,
            audience=frozenset({client.identifier}),
            types=frozenset({"logout+jwt"}),
            now=time.time(),
        )


@dataclass
class Visit:
    """Somebody who is signed in, and let in to a client by the session."""

    town: Town
    person: User
    browser: Browser
    client: Client
    key: str

    def hint(self, **changed: Any) -> str:
        """The ID token that the client got."""
        now = int(time.time())
        claims = {
            "iss": SITE,
            "aud": self.client.identifier,
            "sub": self.person.identity.subject,
            "sid": sid_of(self.key),
            "iat": now,
            "exp": now + 60,
            **changed,
        }
        keys = signing_keys(self.town.house.parts)
        assert keys
        return keys.signing("RS256").sign(claims, typ="JWT")

    def leave(self, *lines: str, **asked: str) -> Answer:
        return self.browser.ask(f"{END_SESSION}?{urlencode(asked)}", *PAGE, *(lines or LINK))


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("trusted"))


@pytest.fixture(scope="module")
def town(
    echo: Gunicorn, trusted: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("town") / "gate"
    with (
        pytest.MonkeyPatch.context() as patch,
        Listener(lambda _: FINE, trusted.context("127.0.0.1")) as listener,
    ):
        patch.setenv("SSL_CERT_FILE", str(trusted.ca_file))
        with house_at(folder, echo.url("").rstrip("/"), provider={}) as house:
            yield Town(house, listener)


@pytest.fixture
def joe(town: Town) -> Visit:
    return visit(town, town.client())


def visit(town: Town, client: Client) -> Visit:
    person, browser = town.house.person(), town.house.browser()
    assert browser.sign_in(person).status == 303
    key = session_key(browser.cookies[SESSION])
    now = int(time.time())
    grant = Grant(
        0,
        client.identifier,
        person.identity.subject,
        None,
        scopes=frozenset({"openid"}),
        resources=(),
        auth_time=now,
        nonce="",
        sid=sid_of(key),
        claims="",
        created_at=now,
        until=now + 60,
    )
    join_session(town.house.store, key, grant)
    return Visit(town, person, browser, client, key)


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.02)


def went_nowhere(answer: Answer) -> bool:
    assert answer.header("Location") is None
    assert answer.header("Refresh") is None
    return "evil.example" not in answer.text


def hidden(answer: Answer) -> dict[str, str]:
    assert answer.status == 200, answer
    pairs = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', answer.text)
    return {name: unescape(value) for name, value in pairs}


# --- Everybody hears ------------------------------------------------------------------------------


def end_others(joe: Visit) -> None:
    """From another browser, at the account's page."""
    other = joe.town.house.browser()
    assert other.sign_in(joe.person).status == 303
    assert other.post("/_sso/account/sessions", end="others").status == 303


def sign_in_as_another(joe: Visit) -> None:
    assert joe.browser.sign_in(joe.town.house.person()).status == 303


def delete_user(joe: Visit) -> None:
    assert joe.town.house.store.users.delete(joe.person.identity.subject)


ENDS = [
    pytest.param(lambda joe: joe.browser.post("/_sso/sign-out"), id="sign-out"),
    pytest.param(end_others, id="all others, at the account's page"),
    pytest.param(sign_in_as_another, id="somebody else's sign-in in its place"),
    pytest.param(lambda joe: joe.leave(id_token_hint=joe.hint()), id="by the client"),
    pytest.param(
        lambda joe: joe.town.house.cli("session", "end", "--user", joe.person.identity.username),
        id="by the operator",
    ),
    pytest.param(
        lambda joe: joe.town.house.cli("user", "deactivate", joe.person.identity.username),
        id="the user is deactivated",
    ),
    pytest.param(delete_user, id="the user is deleted"),
]


@pytest.mark.parametrize("end", ENDS)
def test_however_a_session_ends_its_client_is_told_once(
    joe: Visit, end: Callable[[Visit], object]
) -> None:
    end(joe)
    claims = joe.town.claims(joe.client)

    assert claims["sub"] == joe.person.identity.subject
    assert claims["sid"] == sid_of(joe.key)
    assert claims["events"] == {EVENT: {}}
    assert "nonce" not in claims
    assert not joe.browser.is_in or end is sign_in_as_another


def test_who_signs_in_once_more_stays_signed_in_to_clients(joe: Visit) -> None:
    assert joe.browser.sign_in(joe.person).status == 303
    last = visit(joe.town, joe.town.client())
    last.browser.post("/_sso/sign-out")
    joe.town.claims(last.client)  # by then Joe's would have been told, too
    assert joe.town.told(joe.client) == []

    joe.browser.post("/_sso/sign-out")
    assert joe.town.claims(joe.client)["sid"] == sid_of(joe.key)


def test_many_who_sign_out_at_once_are_each_told_of_once(town: Town) -> None:
    client = town.client()
    visits = [visit(town, client) for _ in range(12)]
    at_once(lambda one: one.browser.post("/_sso/sign-out"), visits)
    until(lambda: len(town.told(client)) == len(visits))
    # What comes later comes to another client: by then a second time would have come, too.
    last = visit(town, town.client())
    last.browser.post("/_sso/sign-out")
    town.claims(last.client)

    assert len({request.body for request in town.told(client)}) == len(visits)
    assert len(town.told(client)) == len(visits)


def test_a_gate_that_stops_has_told_whom_it_had_begun_to(
    echo: Gunicorn, trusted: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a process of its own: nobody else could, and nobody is told twice."""
    begun = threading.Event()

    def slow(_: Request) -> bytes:
        begun.set()
        time.sleep(0.5)
        return FINE

    monkeypatch.setenv("SSL_CERT_FILE", str(trusted.ca_file))
    folder = tmp_path / "gate"
    with Listener(slow, trusted.context("127.0.0.1")) as listener:
        with house_at(folder, echo.url("").rstrip("/"), args=GTHREAD, provider={}) as house:
            town = Town(house, listener)
            visit(town, town.client()).browser.post("/_sso/sign-out")
            assert begun.wait(30)
            house.running.send_signal(signal.SIGTERM)
            house.running.wait(30)
        with closing(sqlite3.connect(folder / "var" / "ssogate.sqlite")) as database:
            left = database.execute("SELECT count(*) FROM logouts").fetchall()

    assert left == [(0,)]
    assert len(listener.requests) == 1


def test_what_is_told_stands_in_no_log(joe: Visit) -> None:
    joe.leave(id_token_hint=joe.hint(), post_logout_redirect_uri=BYE, state="hidden-state")
    joe.town.claims(joe.client)
    (request,) = joe.town.told(joe.client)
    token = dict(parse_qsl(request.body.decode()))["logout_token"]

    log = joe.town.house.running.log()
    assert token.rpartition(".")[2] not in log
    assert "hidden-state" not in log


# --- Nobody else ends it --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(lambda joe: {}, id="nothing"),
        pytest.param(lambda joe: {"client_id": joe.client.identifier}, id="a client's name"),
        pytest.param(lambda joe: {"id_token_hint": joe.hint(sub="ann")}, id="another's token"),
        pytest.param(
            lambda joe: {"id_token_hint": joe.hint(sid=sid_of("x"))}, id="another session's"
        ),
        pytest.param(lambda joe: {"id_token_hint": joe.hint(exp=1)}, id="a token of 1970"),
        pytest.param(lambda joe: {"id_token_hint": joe.hint()[:-3] + "AAA"}, id="a forged token"),
    ],
)
def test_a_link_on_another_site_signs_nobody_out(
    joe: Visit, asked: Callable[[Visit], dict[str, str]]
) -> None:
    answer = joe.leave(**asked(joe), post_logout_redirect_uri="https://evil.example/")

    assert answer.status == 200
    assert f'action="{CONFIRM}"' in answer.text
    assert answer.header("X-Frame-Options") == "DENY"
    assert "frame-ancestors 'none'" in (answer.header("Content-Security-Policy") or "")
    assert went_nowhere(answer)
    assert joe.browser.is_in


def test_a_form_on_another_site_signs_nobody_out(joe: Visit) -> None:
    wish = {"client_id": joe.client.identifier, "post_logout_redirect_uri": BYE}
    asked_again = joe.browser.post(END_SESSION, *OTHER_SITE, **wish)
    refused = joe.browser.post(CONFIRM, *OTHER_SITE, **wish)

    assert asked_again.header("Location") == f"{END_SESSION}?{urlencode(wish, safe='')}"
    assert refused.header("X-SSOGate-Error") == "cross_site"
    assert joe.browser.is_in


def test_a_form_of_our_own_page_signs_out_and_leads_on(joe: Visit) -> None:
    question = joe.leave(client_id=joe.client.identifier, post_logout_redirect_uri=BYE, state="s")
    done = joe.browser.submit(CONFIRM, hidden(question))

    assert done.header("Refresh") == f"0; url={BYE}?state=s"
    assert SESSION not in joe.browser.holds
    assert not joe.browser.is_in


@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/",
        "https://wiki.example/bye/",
        "https://wiki.example/bye?x",
        "https://wiki.example:443/bye",
        "https://WIKI.example/bye",
        "https://wiki.example/%62ye",
        "https://wiki.example/bye\r\nSet-Cookie: a=b",
        "//evil.example/",
        "javascript:alert(1)//",
    ],
)
def test_nobody_is_led_where_the_client_has_not_said(joe: Visit, uri: str) -> None:
    asked = {"id_token_hint": joe.hint(), "post_logout_redirect_uri": uri}
    done = joe.leave(**asked)

    assert done.status == 200
    assert went_nowhere(done)
    assert not joe.browser.is_in, "signed out nevertheless"
    assert went_nowhere(joe.leave(**asked)), "nor when nobody is signed in"


@pytest.mark.parametrize("state", ["a\r\nSet-Cookie: x=y", "a\0b", '"><script>', "ü&client_id=x"])
def test_a_state_comes_back_as_it_was_and_splits_nothing(joe: Visit, state: str) -> None:
    done = joe.leave(id_token_hint=joe.hint(), post_logout_redirect_uri=BYE, state=state)
    base, _, query = (done.header("Location") or "").partition("?")

    assert done.status == 303
    assert base == BYE
    assert dict(parse_qsl(query, keep_blank_values=True)) == {"state": state}
    assert len(done.all("Set-Cookie")) == 1


def test_parameters_that_come_twice_are_refused(joe: Visit) -> None:
    query = urlencode([("id_token_hint", joe.hint()), ("id_token_hint", "x")])
    answer = joe.browser.ask(f"{END_SESSION}?{query}", *PAGE, *OURS)

    assert answer.status == 400
    assert answer.header("X-SSOGate-Error") == "logout_refused"
    assert joe.browser.is_in
