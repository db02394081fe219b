"""Row G-WHMCS: a one-time token opens one session, for a minute, for one user of one account.

Whatever else comes with a token opens nothing, spends nothing and is told nothing.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import make_url

from ssogate.crypto.random_secrets import digest
from ssogate.directory import ACCOUNTS, SERVICES, change_user
from ssogate.directory.accounts import remove_member
from ssogate.directory.administrators import add_administrator
from ssogate.directory.sso_tokens import KIND, LIFETIME, set_single_sign_on
from ssogate.model import AccountStatus
from tests.attack.house import FACTOR, OURS, RECOVERY, SESSION, at_once, children
from tests.attack.office import REDEEM, SUE, TARGET, Customer, Office, link, now, office_at
from tests.attack.stage import HOST, PAGE
from tests.databases import PASSWORD, PostgreSQL
from tests.servers import Answer, Gunicorn, held

pytestmark = pytest.mark.server

BUSY = 503


@pytest.fixture(scope="module")
def joe(office: Office) -> Customer:
    return office.customer()


@pytest.fixture(scope="module")
def ann(office: Office) -> Customer:
    return office.customer()


@pytest.fixture(scope="module")
def on_postgresql(
    echo: Gunicorn, postgresql: PostgreSQL, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Office]:
    """A gate of more processes on another store."""
    folder = tmp_path_factory.mktemp("postgresql")
    secret = folder / "password"
    secret.touch(0o600)
    secret.write_text(PASSWORD)
    url = make_url(postgresql.fresh())
    plain = f"postgresql://{url.username}@{url.host}:{url.port}/{url.database}"
    store = {"kind": "postgresql", "url": plain, "password": {"file": str(secret)}}
    with office_at(folder, echo.url("").rstrip("/"), workers=3, store=store) as made:
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def any_office(request: pytest.FixtureRequest) -> Office:
    """The gate on each kind of store."""
    name = "office" if request.param == "sqlite" else "on_postgresql"
    found: Office = request.getfixturevalue(name)
    return found


def assert_neutral(answer: Answer, token: str = "") -> None:
    """A page that says the same of every token that does not work."""
    assert answer.status in (400, 401, 405, 425), answer
    assert answer.header("Set-Cookie") is None
    assert answer.header("Location") is None
    assert answer.header("Cache-Control") == "no-store"
    assert answer.header("Referrer-Policy") == "no-referrer"
    assert not token or token not in answer.text + str(answer.headers)
    assert TARGET not in answer.text


# --- One session ----------------------------------------------------------------------------------


def come(office: Office, token: str) -> int:
    """Redeem a token as a new visitor; 0 if the gate hung up."""
    try:
        return office.house.browser().ask(link(token), *PAGE).status
    except (EOFError, OSError):
        return 0


def test_of_a_hundred_at_once_exactly_one_comes_in(any_office: Office) -> None:
    office = any_office
    customer = office.customer()
    token = office.token(customer)

    answered = Counter(at_once(lambda one: come(office, one), [token] * 100, threads=30))

    assert answered.keys() <= {303, 401, BUSY}
    assert answered[303] == 1
    assert office.sessions(customer) == 1


def test_of_many_tokens_each_opens_one_session(any_office: Office) -> None:
    office = any_office
    customers = [office.customer() for _ in range(8)]
    tokens = office.tokens(customers, 25)

    answered = Counter(at_once(lambda one: come(office, one), tokens * 4, threads=16))

    assert answered[303] == len(tokens) == 200
    assert {office.sessions(customer) for customer in customers} == {25}


def test_no_killed_worker_lets_a_token_in_twice(any_office: Office) -> None:
    office = any_office
    customers = [office.customer() for _ in range(4)]
    tokens = office.tokens(customers, 40)
    arbiter = office.house.running.pid

    with ThreadPoolExecutor(12) as pool:
        coming = [pool.submit(come, office, token) for _ in range(2) for token in tokens]
        for share in (8, 4, 2):  # amid all that is under way
            while sum(one.done() for one in coming) < len(coming) // share:
                time.sleep(0.005)
            os.kill(children(arbiter)[0], signal.SIGKILL)
        answered = list(zip(tokens * 2, (one.result() for one in coming), strict=True))
    won = Counter(token for token, status in answered if status == 303)
    assert 0 in {status for _, status in answered}, "nobody was killed in the middle"
    again = {token: come(office, token) for token in tokens}

    assert max(won.values()) == 1
    for token in tokens:
        assert again[token] != 303 or won[token] == 0, "an acknowledged token came in again"
    theirs = [office.store.sessions.listed(customer.subject) for customer in customers]
    opened = Counter(record.proof for sessions in theirs for record, _ in sessions)
    assert len(opened) == len(tokens), "a token got lost: neither spent nor good"
    assert set(opened.values()) == {1}


# --- What is no redemption ------------------------------------------------------------------------

REFUSED: dict[str, tuple[Callable[[str], str], tuple[str, ...], str]] = {
    "no token": (lambda t: REDEEM, (), "GET"),
    "an empty one": (lambda t: link(""), (), "GET"),
    "cut by a digit": (lambda t: link(t[:-1]), (), "GET"),
    "a digit more": (lambda t: link(f"{t}0"), (), "GET"),
    "a digit before": (lambda t: link(f"0{t}"), (), "GET"),
    "another last digit": (lambda t: link(t[:-1] + f"{int(t[-1], 16) ^ 1:x}"), (), "GET"),
    "nobody's": (lambda t: link("0" * 40), (), "GET"),
    "upper case": (lambda t: link(t.upper()), (), "GET"),
    "a space": (lambda t: link(f"{t}%20"), (), "GET"),
    "a plus": (lambda t: link(f"+{t}"), (), "GET"),
    "a line end": (lambda t: link(f"{t}%0a"), (), "GET"),
    "NUL": (lambda t: link(f"{t}%00"), (), "GET"),
    "full-width digits": (lambda t: link("%ef%bc%90" * 40), (), "GET"),
    "not UTF-8": (lambda t: link(f"{t}%ff"), (), "GET"),
    "G5 twice": (lambda t: f"{link(t)}&access_token={t}", (), "GET"),
    "G5 and an empty one": (lambda t: f"{link(t)}&access_token=", (), "GET"),
    "G5 and another": (lambda t: f"{link(t)}&access_token={'0' * 40}", (), "GET"),
    "as a list": (lambda t: f"{REDEEM}?access_token[]={t}", (), "GET"),
    "another name's case": (lambda t: f"{REDEEM}?Access_Token={t}", (), "GET"),
    "101 parameters": (lambda t: link(t) + "&a=b" * 101, (), "GET"),
    "a semicolon": (lambda t: f"{REDEEM}?a=b;access_token={t}", (), "GET"),
    "HEAD": (link, (), "HEAD"),
    "POST": (link, OURS, "POST"),
    "PUT": (link, (), "PUT"),
    "OPTIONS": (link, (), "OPTIONS"),
    "a prefetch": (link, ("Sec-Purpose: prefetch",), "GET"),
    "a prerender": (link, ("Sec-Purpose: prefetch;prerender",), "GET"),
    "an old prefetch": (link, ("Purpose: prefetch",), "GET"),
    "Safari's preview": (link, ("X-Purpose: preview",), "GET"),
    "Firefox's prefetch": (link, ("X-Moz: prefetch",), "GET"),
    **{
        f"<{dest}>": (link, (f"Sec-Fetch-Dest: {dest}", "Sec-Fetch-Mode: no-cors"), "GET")
        for dest in ("image", "iframe", "frame", "script", "style", "object", "embed", "audio")
    },
}


@pytest.mark.parametrize(
    ("target", "lines", "method"), [pytest.param(*v, id=k) for k, v in REFUSED.items()]
)
def test_what_is_no_redemption_opens_and_spends_nothing(
    office: Office,
    joe: Customer,
    target: Callable[[str], str],
    lines: tuple[str, ...],
    method: str,
) -> None:
    (token,) = office.tokens([joe], 1)
    before = office.sessions(joe)

    answer = office.house.browser().ask(target(token), *lines, method=method)

    assert_neutral(answer, token)
    assert office.sessions(joe) == before
    assert office.house.browser().ask(link(token)).status == 303, "it was spent"


def test_a_token_in_a_body_is_none(office: Office, joe: Customer) -> None:
    (token,) = office.tokens([joe], 1)

    assert_neutral(office.house.browser().post(REDEEM, access_token=token), token)
    assert not office.is_spent(token)


def test_a_token_is_good_for_a_minute_and_once(office: Office, joe: Customer) -> None:
    nearly, old = (*office.tokens([joe], 1, ago=50), *office.tokens([joe], 1))
    made = office.store.tickets.take(digest(old), KIND)
    assert made
    # Last of all, for a new token sweeps away what is over.
    office.store.tickets.put(replace(made, until=made.until - LIFETIME - 1))

    assert_neutral(office.house.browser().ask(link(old), *PAGE), old)
    text = UNABLE.format(joe.account.number)
    assert f"{text}\n" in office.house.cli("activity", "list", "--containing", text)
    assert office.house.browser().ask(link(nearly)).status == 303
    spent = office.house.browser().ask(link(nearly), *PAGE)
    assert_neutral(spent, nearly)
    assert (spent.status, spent.header("X-SSOGate-Error")) == (401, "sso_token_refused")


def test_the_hash_that_is_stored_is_no_token(office: Office, joe: Customer) -> None:
    (token,) = office.tokens([joe], 1)
    folder = office.house.running.site.folder / "var"

    assert token.encode() not in held(folder)
    office.house.browser().ask(link(token))
    assert token.encode() not in held(folder)


def test_a_token_is_in_no_log_no_page_and_no_referrer(office: Office, joe: Customer) -> None:
    ann = office.customer()
    used, asked, refused, stray = office.tokens([joe, ann, joe, joe], 1)
    browser = office.house.browser()
    came = browser.ask(link(used), f"Referer: https://{HOST}{link(used)}", *PAGE)
    question = browser.ask(link(asked), *PAGE)
    no = office.house.browser().ask(f"{link(refused)}&access_token={refused}", *PAGE)
    elsewhere = office.house.browser().ask(f"/pub/x?access_token={stray}", *PAGE)
    again = office.house.browser().ask(link(used), *PAGE)
    as_json = office.house.browser().ask(link(used), "Accept: application/json")

    assert (came.status, came.header("Location")) == (303, TARGET)
    assert used not in came.text
    assert "access_token" in question.text, "the visitor was not asked"
    for answer in (came, question, no, again, as_json):
        assert answer.header("Referrer-Policy") == "no-referrer"
        assert answer.header("Cache-Control") == "no-store"
    for answer in (no, again, as_json):
        assert used not in answer.text
        assert refused not in answer.text
    assert elsewhere.status == 200
    log = office.house.running.log()
    shown = office.house.cli("activity", "list", "--latest", "200", "--json")
    for token in (used, asked, refused, stray):
        assert token not in log
        assert token not in shown


def test_a_token_gives_a_new_session_in_place_of_a_planted_one(
    office: Office, joe: Customer
) -> None:
    """C5."""
    browser = office.house.browser()
    browser.cookies[SESSION] = "A" * 43
    browser.ask(link(office.token(joe)))
    first = browser.cookies[SESSION]
    browser.ask(link(office.token(joe)))
    second = browser.cookies[SESSION]

    assert len({"A" * 43, first, second}) == 3
    assert browser.is_in
    browser.cookies[SESSION] = first
    assert not browser.is_in


# --- What happens between making a token and redeeming it -----------------------------------------

DENIED = "Single Sign-On authentication denied"
CLOSED = f'{DENIED} for "Closed" User ID: {{}}'
OFF = f"{DENIED} per configuration for User ID: {{}}"
UNABLE = "Unable to authenticate with Single Sign-On token for User ID: {}"
UNEXPECTED = (
    "OAuth authorization request denied due to unexpected active login session for"
    ' "Closed" User ID: {}'
)


def close(office: Office, customer: Customer) -> None:
    office.call("CloseClient", clientid=customer.account.number)


def switch(office: Office, customer: Customer, allowed: bool) -> None:
    set_single_sign_on(office.store, customer.account.number, allowed, by=SUE, now=now())


def off_and_on(office: Office, customer: Customer) -> None:
    switch(office, customer, False)
    switch(office, customer, True)


def off_and_on_by_api(office: Office, customer: Customer) -> None:
    for allowed in (0, 1):
        number = customer.account.number
        office.call("UpdateClient", clientid=number, allowSingleSignOn=allowed)


def removed(office: Office, customer: Customer) -> None:
    other = office.customer()
    office.member(other.account, customer.user)  # so that it is not the only account
    remove_member(office.store, customer.account.number, customer.subject, by=SUE, now=now())


def deactivated(office: Office, customer: Customer) -> None:
    name = customer.user.identity.canonical
    change_user(office.store, name, active=False, by=SUE, now=now())


def moved(office: Office, customer: Customer) -> None:
    other = office.customer().account.number
    number = customer.service.number
    SERVICES.change(
        office.store, number, lambda old: replace(old, account=other), by=SUE, now=now()
    )


def no_service(office: Office, customer: Customer) -> None:
    SERVICES.delete(office.store, customer.service.number, by=SUE, now=now())


@pytest.mark.parametrize(
    ("happens", "words"),
    [
        pytest.param(close, CLOSED, id="the account is closed"),
        pytest.param(lambda o, c: switch(o, c, False), OFF, id="the switch is turned off"),
        pytest.param(off_and_on, UNABLE, id="off and on again"),
        pytest.param(off_and_on_by_api, UNABLE, id="off and on again by API"),
        pytest.param(removed, UNABLE, id="the user is a member no more"),
        pytest.param(deactivated, UNABLE, id="the user is deactivated"),
        pytest.param(moved, UNABLE, id="the service goes to another account"),
        pytest.param(no_service, UNABLE, id="the service is gone"),
    ],
)
def test_a_token_is_judged_again_when_it_comes(
    office: Office, happens: Callable[[Office, Customer], None], words: str
) -> None:
    customer = office.customer()
    service = customer.service.number
    token = office.token(customer, destination="clientarea:product_details", service_id=service)
    happens(office, customer)
    browser = office.house.browser()

    answers = [browser.ask(link(token), *PAGE) for _ in range(3)]

    for answer in answers:
        assert_neutral(answer, token)
        assert answer.status == 401
        for word in ("closed", "denied", "deactivated", "configuration", "service"):
            assert word not in answer.text.lower()
    assert office.sessions(customer) == 0
    text = words.format(customer.account.number)
    shown = office.house.cli("activity", "list", "--containing", text)
    assert len(re.findall(rf"sso-token\.refused +{re.escape(text)}$", shown, re.MULTILINE)) == 1


def test_a_session_at_a_closed_account_is_told_of(office: Office) -> None:
    customer, other = office.customer(), office.customer()
    office.member(other.account, customer.user)
    browser = office.house.browser()
    token = office.token(customer)
    browser.ask(link(office.token(other, user_id=customer.user.number)))
    ACCOUNTS.change(
        office.store,
        customer.account.number,
        lambda old: replace(old, status=AccountStatus.CLOSED),
        by=SUE,
        now=now(),
    )
    assert browser.is_in, "the other account is open"

    assert_neutral(browser.ask(link(token), *PAGE), token)
    text = UNEXPECTED.format(customer.account.number)
    assert f"{text}\n" in office.house.cli("activity", "list", "--containing", text)


def test_closing_an_account_ends_the_session_that_a_token_opened(office: Office) -> None:
    """D3."""
    customer = office.customer()
    browser = office.house.browser()
    browser.ask(link(office.token(customer)))
    assert browser.everywhere() == {200}
    close(office, customer)

    assert browser.everywhere() == {401}


@pytest.mark.parametrize("when", ["before", "after"])
def test_no_token_makes_an_administrator(office: Office, when: str) -> None:
    customer = office.customer()
    if when == "after":
        token = office.token(customer)
        add_administrator(office.store, customer.subject, (), by=SUE, now=now())
    else:
        add_administrator(office.store, customer.subject, (), by=SUE, now=now())
        found = office.call("CreateSsoToken", client_id=customer.account.number)
        assert "access_token" not in found
        token = "0" * 40

    answer = office.house.browser().ask(link(token), *PAGE)

    assert answer.status == 401
    assert answer.header("Set-Cookie") is None
    assert office.sessions(customer) == 0


def test_a_second_factor_is_still_owed(office: Office) -> None:
    """C7."""
    customer = office.customer()
    office.house.owing(customer.user)
    browser = office.house.browser()
    token = office.token(customer)

    answer = browser.ask(link(token), *PAGE)

    assert (answer.status, answer.header("Location")) == (303, FACTOR)
    assert SESSION not in browser.holds
    assert not browser.is_in
    assert_neutral(office.house.browser().ask(link(token), *PAGE), token)
    done = browser.post(FACTOR, code=RECOVERY[0])
    assert (done.status, done.header("Location")) == (303, TARGET)
    assert browser.who == customer.user.identity.canonical
