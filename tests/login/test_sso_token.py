"""Coming in by one-time token: who gets in, once, and what everybody else and the log are told."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from pydantic import ValidationError
from werkzeug.test import TestResponse
from werkzeug.wrappers import Response

from ssogate.directory import ACCOUNTS, SERVICES, change_user
from ssogate.directory.accounts import remove_member
from ssogate.directory.administrators import add_administrator
from ssogate.directory.sso_tokens import TokenRefused, provision, set_single_sign_on
from ssogate.errors import StoreFailure
from ssogate.http import environ as env
from ssogate.http.cookies import cookies, session_key
from ssogate.login.chooser import Chooser
from ssogate.login.sso_token import SsoToken, SsoTokenSettings
from ssogate.middleware.endpoints import Endpoints
from ssogate.middleware.sessions import Sessions
from ssogate.model import STEP, Account, AccountStatus, LocalPath, Service, ServiceStatus, User
from ssogate.storage import SQLiteStore
from tests.directory.making import SUE, customer, member, person, standing
from tests.login.making import Browser, code, hidden_fields
from tests.sessions.making import make_keeper
from tests.storage.making import NOW, Hands, traced, user

PATH = "/oauth/singlesignon.php"
TARGET = "/clientarea.php?action=details"
JOES, ANNS, EVES = ("0" * 39 + digit for digit in "123")
NOBODYS = "f" * 40


def settings(**given: Any) -> SsoTokenSettings:
    return SsoTokenSettings.model_validate({"kind": "sso_token", **given})


class Gate:
    """Joe and Ann own an account each; Eve is a member of both."""

    def __init__(self, folder: Path, **given: Any) -> None:
        self.clock = Hands()
        self.keeper = make_keeper(folder, self.clock)
        self.store = self.keeper.store
        self.vouched: Callable[[User], User | None] = lambda user: user
        method = SsoToken(settings(**given), self.store, self.clock, self._vouch)
        self.chooser = Chooser([method])
        own = cookies(secure=True)
        self.app = Sessions(
            Endpoints(
                _page,
                table=self.chooser.endpoints(),
                keeper=self.keeper,
                cookies=own,
                second_factor="/_sso/second-factor",
            ),
            cookie=own.session.name,
            find=self.keeper.find,
        )
        self.joe, self.ann, self.eve = (
            person(self.store, name, signed_in=False) for name in ("joe", "ann", "eve")
        )
        self.acme, self.other = customer(self.store), customer(self.store, "Other")
        member(self.store, self.acme, self.joe, owner=True)
        member(self.store, self.other, self.ann, owner=True)
        for account in (self.acme, self.other):
            member(self.store, account, self.eve)
        drawn = Service(0, self.acme.number, "Hosting", ServiceStatus.ACTIVE)
        self.service = SERVICES.add(self.store, drawn, by=SUE, now=NOW)
        self.token(JOES, self.acme, self.joe)
        self.token(ANNS, self.other, self.ann)
        self.token(EVES, self.other, self.eve)

    def token(self, token: str, account: Account, user: User, *, target: str = TARGET) -> None:
        provision(
            self.store,
            standing(self.store, account, user),
            scope="clientarea:profile",
            service=self.service.number if account == self.acme else None,
            domain=None,
            target=LocalPath(target),
            new_token=lambda: token,
            by=SUE,
            now=int(self.clock()),
        )

    def _vouch(self, user: User) -> User | None:
        return self.vouched(user)

    def browser(self) -> Browser:
        return Browser(self.app)

    def signed_in(self, token: str = JOES) -> Browser:
        browser = self.browser()
        assert follow(browser, token).status_code == 303
        return browser

    @property
    def names(self) -> list[str]:
        return sorted(who.canonical for _, who in self.store.sessions.listed())

    @property
    def told(self) -> list[str]:
        """What the activity log says of refused tokens."""
        return [it.text for it in self.store.activity.listed() if it.action == "sso-token.refused"]


def _page(environ: Any, start_response: Any) -> Any:
    session = env.session(environ)
    return Response(session.identity.canonical if session else "")(environ, start_response)


def follow(browser: Browser, token: str = JOES, **more: Any) -> TestResponse:
    return browser.get(PATH, query_string=urlencode({"access_token": token}), **more)


def step_of(browser: Browser) -> str:
    cookie = browser.get_cookie("__Host-ssogate-step", "app.example")
    assert cookie
    return cookie.value


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path)


# --- The way in -----------------------------------------------------------------------------------


def test_a_token_signs_in_and_leads_to_its_target(gate: Gate) -> None:
    browser = gate.browser()

    response = follow(browser)

    assert (response.status_code, response.headers["Location"]) == (303, TARGET)
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.get_data() == b""
    assert browser.who == "joe"
    (line,) = gate.store.activity.latest(1)
    assert (line.action, line.text) == ("sign-in.done", "joe by sso_token")


def test_the_session_knows_its_method_and_not_its_token(gate: Gate) -> None:
    follow(gate.browser())

    ((record, _),) = gate.store.sessions.listed()
    assert record.method == "sso_token"
    assert record.proof.startswith("sso:")
    assert JOES not in record.proof


def test_a_target_may_be_no_address_that_signs_out_or_in(gate: Gate) -> None:
    gate.token("a" * 40, gate.acme, gate.joe, target=f"{PATH}?access_token={ANNS}")

    assert follow(gate.browser(), "a" * 40).headers["Location"] == "/"


def test_a_user_whom_a_sender_created_may_come_in(gate: Gate) -> None:
    bob = user("bob")
    gate.store.users.add(bob)
    member(gate.store, gate.acme, bob)
    gate.token("a" * 40, gate.acme, bob)

    follow(gate.browser(), "a" * 40)

    assert gate.names == ["bob"]
    known = gate.store.users.get("bob")
    assert known
    assert known.identity == bob.identity, "nothing of the user changes"


@pytest.mark.parametrize(
    ("satisfies", "location"),
    [
        pytest.param(False, "/_sso/second-factor", id="still owed"),
        pytest.param(True, TARGET, id="as good as two factors"),
    ],
)
def test_a_second_factor_is_asked_for_unless_a_token_counts_as_one(
    tmp_path: Path, satisfies: bool, location: str
) -> None:
    """C7."""
    gate = Gate(tmp_path, satisfies_second_factor=satisfies)
    gate.store.secrets.set_second_factor(gate.joe.identity.subject, "sealed", [], NOW)
    browser = gate.browser()

    assert follow(browser).headers["Location"] == location
    assert browser.who == ("joe" if satisfies else "")


def test_administrators_do_not_come_in_by_token(gate: Gate) -> None:
    gate.token("a" * 40, gate.acme, gate.joe)
    add_administrator(gate.store, gate.joe.identity.subject, [], by=SUE, now=NOW)

    assert not_working(follow(gate.browser(), "a" * 40))
    with pytest.raises(TokenRefused, match="may not come in"):
        gate.token("b" * 40, gate.acme, gate.joe)
    assert gate.names == []


def test_it_is_no_way_in_to_offer(gate: Gate) -> None:
    (method,) = gate.chooser.methods

    assert method.label == "a one-time link"
    assert PATH not in gate.browser().get("/_sso/sign-in").get_data(as_text=True)


@pytest.mark.parametrize("again", ["nobody", "somebody not welcome"])
def test_a_user_whom_the_own_source_lets_in_no_more_does_not_come_in(
    gate: Gate, again: str
) -> None:
    gate.vouched = lambda user: None if again == "nobody" else replace(user, active=False)

    assert not_working(follow(gate.browser()))

    assert gate.names == []
    assert gate.told == ["Unable to authenticate with Single Sign-On token for User ID: 1"]
    gate.vouched = lambda user: user
    assert gate.signed_in().who == "joe", "nothing was spent"


def test_while_a_source_does_not_answer_nobody_of_it_comes_in(gate: Gate) -> None:
    def broken(user: User) -> User:
        raise StoreFailure("the legacy source does not answer")

    gate.vouched = broken

    assert follow(gate.browser()).status_code == 500
    assert gate.names == []


@pytest.mark.parametrize("what", ["switched off", "closed", "removed", "deleted"])
def test_a_second_factor_that_a_token_has_begun_ends_with_what_let_it_in(
    gate: Gate, what: str
) -> None:
    gate.store.secrets.set_second_factor(gate.joe.identity.subject, "sealed", [], NOW)
    member(gate.store, gate.other, gate.joe)  # so that acme is not the only one
    browser = gate.browser()
    follow(browser)
    key = session_key(step_of(browser))
    assert gate.store.tickets.get(key, STEP)

    {"switched off": _off, "closed": _closed, "removed": _no_member, "deleted": _gone}[what](gate)

    assert gate.store.tickets.get(key, STEP) is None


# --- Once -----------------------------------------------------------------------------------------


def refused_page(response: TestResponse, with_code: str, status: int) -> bool:
    """Whether it is this refusal, for a person, and nothing was given besides."""
    assert response.status_code == status
    assert response.mimetype == "text/html"
    assert code(response) == with_code
    assert "Set-Cookie" not in response.headers
    assert "Location" not in response.headers
    assert response.headers["Cache-Control"] == "no-store"
    return True


def not_working(response: TestResponse) -> bool:
    text = response.get_data(as_text=True)
    assert refused_page(response, "sso_token_refused", 401)
    assert response.headers["WWW-Authenticate"] == 'Cookie realm="sign-in"'
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert "This sign-in link does not work" in text
    assert 'href="/_sso/sign-in"' in text, "a way to sign in"
    for word in ("closed", "switched", "acme", "joe"):
        assert word not in text.lower(), "which check it was is nobody's business"
    return True


def test_a_token_opens_one_session(gate: Gate) -> None:
    follow(gate.browser())
    stranger = gate.browser()

    assert not_working(follow(stranger))
    assert stranger.who == ""
    assert gate.names == ["joe"]


def test_of_many_at_once_exactly_one_comes_in(gate: Gate) -> None:
    """G-WHMCS: real threads and a real file, a hundred of each of three tokens."""
    tokens = [JOES, ANNS, EVES] * 100

    with ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(lambda token: follow(gate.browser(), token), tokens))

    statuses = [response.status_code for response in responses]
    assert (statuses.count(303), statuses.count(401)) == (3, 297)
    assert sum("Set-Cookie" in response.headers for response in responses) == 3
    assert gate.names == ["ann", "eve", "joe"]


def test_the_browser_that_a_token_let_in_is_sent_on_again(gate: Gate) -> None:
    browser = gate.signed_in()

    response = follow(browser)

    assert (response.status_code, response.headers["Location"]) == (303, TARGET)
    assert "Set-Cookie" not in response.headers
    assert gate.names == ["joe"]


def test_it_is_sent_to_the_base_when_the_token_is_forgotten(tmp_path: Path) -> None:
    gate = Gate(tmp_path, base="/billing")
    browser = gate.signed_in()
    gate.clock.now = NOW + 120
    gate.token("a" * 40, gate.acme, gate.joe)  # sweeps old ones away

    response = follow(browser)

    assert (response.status_code, response.headers["Location"]) == (303, "/billing")


@pytest.mark.parametrize("out", ["signed out", "idle"])
def test_after_the_session_a_token_in_the_history_signs_nobody_in(gate: Gate, out: str) -> None:
    browser = gate.signed_in()
    if out == "idle":
        gate.clock.now = NOW + 601
    else:
        gate.store.sessions.delete_subject(gate.joe.identity.subject)

    assert follow(browser).status_code in (400, 401)
    assert browser.who == ""


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        pytest.param("HEAD", {}, id="HEAD"),
        pytest.param("POST", {}, id="POST"),
        pytest.param("OPTIONS", {}, id="OPTIONS"),
        pytest.param("GET", {"Sec-Purpose": "prefetch"}, id="prefetch"),
        pytest.param("GET", {"Sec-Purpose": "prefetch;prerender"}, id="prerender"),
        pytest.param("GET", {"Purpose": "prefetch"}, id="an older prefetch"),
        pytest.param("GET", {"Sec-Fetch-Dest": "image"}, id="image"),
        pytest.param("GET", {"Sec-Fetch-Dest": "iframe"}, id="frame"),
        pytest.param("GET", {"Sec-Fetch-Dest": "script"}, id="script"),
    ],
)
def test_what_nobody_opened_spends_nothing(
    gate: Gate, method: str, headers: dict[str, str]
) -> None:
    query = urlencode({"access_token": JOES})

    response = gate.browser().open(PATH, method=method, query_string=query, headers=headers)

    assert response.status_code in (401, 425)
    assert "Set-Cookie" not in response.headers
    assert gate.names == []
    assert gate.signed_in().who == "joe"


# --- What does not work ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("", id="none"),
        pytest.param("access_token=", id="empty"),
        pytest.param(f"access_token={NOBODYS}", id="nobody's"),
        pytest.param(f"access_token={JOES[:-1]}", id="cut short"),
        pytest.param(f"access_token={JOES}0", id="too long"),
        pytest.param(f"access_token={JOES}%0a", id="a line break after it"),
        pytest.param(f"access_token={JOES}%00", id="a zero byte after it"),
        pytest.param(f"access_token=%20{JOES}", id="a space before it"),
        pytest.param(f"access_token={JOES[:-1]}%EF%BC%91", id="a wide digit"),
        pytest.param(f"access_token={'A' * 40}", id="capitals"),
        pytest.param(f"access_token={JOES}&access_token={JOES}", id="twice"),
        pytest.param(f"access_token={NOBODYS}&access_token={JOES}", id="two"),
        pytest.param(f"access_token[]={JOES}", id="as a list"),
        pytest.param(f"Access_Token={JOES}", id="another name"),
    ],
)
def test_what_is_no_token_of_ours_is_refused_and_not_told(gate: Gate, query: str) -> None:
    lines = len(list(gate.store.activity.listed()))

    assert not_working(gate.browser().get(PATH, query_string=query))

    assert len(list(gate.store.activity.listed())) == lines
    assert gate.names == []


def _change(gate: Gate, **fields: object) -> None:
    ACCOUNTS.change(
        gate.store,
        gate.acme.number,
        lambda account: replace(account, **fields),  # type: ignore[arg-type]
        by=SUE,
        now=NOW,
    )


def _closed(gate: Gate) -> None:
    _change(gate, status=AccountStatus.CLOSED)


def _off(gate: Gate) -> None:
    set_single_sign_on(gate.store, gate.acme.number, False, by=SUE, now=NOW)


def _gone(gate: Gate) -> None:
    ACCOUNTS.delete(gate.store, gate.acme.number, by=SUE, now=NOW)


def _off_and_on(gate: Gate) -> None:
    _off(gate)
    set_single_sign_on(gate.store, gate.acme.number, True, by=SUE, now=NOW)


def _closed_and_off(gate: Gate) -> None:
    _off(gate)
    _closed(gate)


def _old(gate: Gate) -> None:
    gate.clock.now = NOW + 60


def _old_and_closed(gate: Gate) -> None:
    _old(gate)
    _closed(gate)


def _deactivated(gate: Gate) -> None:
    change_user(gate.store, "joe", active=False, by=SUE, now=NOW)


def _signed_out_everywhere(gate: Gate) -> None:
    gate.store.sessions.delete_subject(gate.joe.identity.subject)


def _no_member(gate: Gate) -> None:
    remove_member(gate.store, gate.acme.number, gate.joe.identity.subject, by=SUE, now=NOW)


def _moved(gate: Gate) -> None:
    moved = replace(gate.service, account=gate.other.number)
    SERVICES.change(gate.store, gate.service.number, lambda _: moved, by=SUE, now=NOW)


def _deleted(gate: Gate) -> None:
    ACCOUNTS.delete(gate.store, gate.acme.number, by=SUE, now=NOW)


DENIED_CLOSED = 'Single Sign-On authentication denied for "Closed" User ID: 1'
DENIED_OFF = "Single Sign-On authentication denied per configuration for User ID: 1"
UNABLE = "Unable to authenticate with Single Sign-On token for User ID: 1"
UNEXPECTED = (
    "OAuth authorization request denied due to unexpected active login session"
    ' for "Closed" User ID: 1'
)


@pytest.mark.parametrize(
    ("happens", "text"),
    [
        pytest.param(_closed, DENIED_CLOSED, id="closed"),
        pytest.param(_off, DENIED_OFF, id="switched off"),
        pytest.param(_closed_and_off, DENIED_CLOSED, id="closed and off"),
        pytest.param(_off_and_on, UNABLE, id="switched off and on again"),
        pytest.param(_old, UNABLE, id="too old"),
        pytest.param(_old_and_closed, UNABLE, id="too old and closed"),
        pytest.param(_deactivated, UNABLE, id="user deactivated"),
        pytest.param(_signed_out_everywhere, UNABLE, id="signed out everywhere"),
        pytest.param(_no_member, UNABLE, id="no member any more"),
        pytest.param(_moved, UNABLE, id="service moved"),
        pytest.param(_deleted, UNABLE, id="account deleted"),
    ],
)
def test_the_log_says_why_in_the_words_of_the_guide(
    gate: Gate, happens: Callable[[Gate], None], text: str
) -> None:
    happens(gate)

    assert not_working(follow(gate.browser(), headers={"User-Agent": "curl"}))

    assert gate.told == [text]
    assert gate.names == []


def test_a_session_of_a_member_of_a_closed_account_is_told_of(gate: Gate) -> None:
    browser = gate.signed_in(EVES)
    _closed(gate)

    assert not_working(follow(browser))

    assert gate.told == [UNEXPECTED]
    assert browser.who == "eve", "who may act for another account, too"


def test_a_strangers_session_is_not(gate: Gate) -> None:
    browser = gate.signed_in(ANNS)
    _closed(gate)

    assert not_working(follow(browser))
    assert gate.told == [DENIED_CLOSED]


def test_whoever_has_a_token_cannot_fill_the_log(gate: Gate) -> None:
    _off(gate)
    for _ in range(5):
        not_working(follow(gate.browser()))
    _closed(gate)
    not_working(follow(gate.browser()))

    assert gate.told == [DENIED_OFF, DENIED_CLOSED]


def test_a_refusal_spends_nothing(gate: Gate) -> None:
    change = replace(gate.service, account=gate.other.number)
    SERVICES.change(gate.store, gate.service.number, lambda _: change, by=SUE, now=NOW)
    follow(gate.browser())
    SERVICES.change(gate.store, gate.service.number, lambda _: gate.service, by=SUE, now=NOW)

    assert follow(gate.browser()).status_code == 303


def test_a_program_that_asks_for_json_gets_it(gate: Gate) -> None:
    response = follow(gate.browser(), NOBODYS, headers={"Accept": "application/json"})

    assert response.status_code == 401
    assert response.get_json()["code"] == "sso_token_refused"
    assert response.get_json()["sign_in"] == "/_sso/sign-in"


def test_a_store_that_fails_lets_nobody_in(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(key: str, kind: str) -> None:
        raise StoreFailure("disk full")

    monkeypatch.setattr(gate.store.tickets, "get", fail)

    assert refused_page(follow(gate.browser()), "500E1", 500)


def test_nothing_secret_is_logged(gate: Gate, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    follow(gate.browser(), NOBODYS)
    _off(gate)
    follow(gate.browser())

    logged = caplog.text + "".join(line.text for line in gate.store.activity.listed())
    assert "sso_token_refused" in logged
    assert NOBODYS not in logged
    assert JOES not in logged


# --- Somebody else is signed in (C1) --------------------------------------------------------------


def test_a_strangers_token_asks_first(gate: Gate) -> None:
    joe = gate.signed_in()

    response = follow(joe, ANNS)

    text = response.get_data(as_text=True)
    assert response.status_code == 200
    assert "Sign in as ann?" in text
    assert 'href="/"' in text
    assert TARGET not in text
    assert response.headers["Referrer-Policy"] == "no-referrer", "its address holds a token"
    assert joe.who == "joe"
    assert gate.signed_in(ANNS).who == "ann", "the question has not used the token up"


def test_a_visitor_who_agrees_is_signed_in_anew(gate: Gate) -> None:
    joe = gate.signed_in()

    response = joe.get(PATH, query_string=urlencode(hidden_fields(follow(joe, ANNS))))

    assert (response.status_code, response.headers["Location"]) == (303, TARGET)
    assert joe.who == "ann"
    assert gate.names == ["ann"], "the old session has ended"


@pytest.mark.parametrize("word", ["", "yes", "0" * 64, "é"])
def test_a_word_that_is_not_the_visitors_is_asked_again(gate: Gate, word: str) -> None:
    joe = gate.signed_in()
    query = urlencode({"access_token": ANNS, "confirm": word})

    assert joe.get(PATH, query_string=query).status_code == 200
    assert joe.who == "joe"


def test_the_word_of_another_session_or_for_another_token_is_asked_again(gate: Gate) -> None:
    joe = gate.signed_in()
    gate.token("a" * 40, gate.acme, gate.joe)
    attacker = gate.signed_in("a" * 40)
    stolen = hidden_fields(follow(attacker, ANNS))
    swapped = {**hidden_fields(follow(joe, ANNS)), "access_token": EVES}

    for query in (stolen, swapped):
        assert joe.get(PATH, query_string=urlencode(query)).status_code == 200
        assert joe.who == "joe"


def test_an_agreement_is_judged_like_any_token(gate: Gate) -> None:
    joe = gate.signed_in()
    agreed = hidden_fields(follow(joe, ANNS))
    gate.clock.now = NOW + 60

    assert not_working(joe.get(PATH, query_string=urlencode(agreed)))
    assert joe.who == "joe"


def test_ones_own_second_token_needs_no_question(gate: Gate) -> None:
    joe = gate.signed_in()
    first = joe.get_cookie("__Host-ssogate", domain="app.example")
    gate.token("a" * 40, gate.acme, gate.joe)

    assert follow(joe, "a" * 40).status_code == 303

    second = joe.get_cookie("__Host-ssogate", domain="app.example")
    assert first
    assert second
    assert first.value != second.value, "each sign-in has a new id"
    assert gate.names == ["joe"]


# --- What it costs --------------------------------------------------------------------------------

MOST_STATEMENTS = 13
"""Of a redemption: all of them hold up others, and most of them all the writers."""


def test_a_redemption_takes_few_statements(gate: Gate) -> None:
    gate.signed_in(EVES)

    assert isinstance(gate.store, SQLiteStore)
    with traced(gate.store) as statements:
        gate.signed_in(ANNS)

    assert len(statements) <= MOST_STATEMENTS, statements
    outside = statements[: statements.index("BEGIN IMMEDIATE")]
    assert len([sql for sql in outside if sql.startswith("SELECT")]) == 2, "the first look"


# --- Settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param({"base": "billing"}, "base: 'billing' is not a plain path", id="base"),
        pytest.param(
            {"destinations": {"clientarea:home": "/x"}}, "is no scope that has", id="scope"
        ),
        pytest.param(
            {"destinations": {"clientarea:profile": "https://x"}}, "is no path", id="target"
        ),
        pytest.param({"name": "Not a Name"}, "should match pattern", id="name"),
    ],
)
def test_settings_that_cannot_work_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        settings(**given)


def test_settings_need_no_more_than_their_kind() -> None:
    made = settings()

    assert (made.name, made.base, made.destinations) == ("sso_token", "/", {})
    assert not made.satisfies_second_factor
