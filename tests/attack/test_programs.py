"""What programs may do to people: whoever holds an API credential or an OAuth client's secret
reaches nobody beyond it, and keeps nobody else waiting."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from ssogate.directory import SERVICES
from ssogate.directory.accounts import remove_member
from ssogate.directory.administrators import add_administrator
from ssogate.directory.sso_tokens import set_single_sign_on
from ssogate.model import ServiceStatus, User
from tests.attack.house import FACTOR, FORUM, RECOVERY, Browser, at_once
from tests.attack.office import SUE, TOKEN, Customer, Office, Program, link, now, office_at, told
from tests.attack.stage import new_link
from tests.gate import SENDER
from tests.login.forms import HASH, RIGHT
from tests.servers import Gunicorn

pytestmark = pytest.mark.server

PASSWORD = "known to the program"
NEWCOMER = {"firstname": "The", "lastname": "Boss", "password2": PASSWORD}


def code(answer: Any) -> str:
    return str(answer.header("X-SSOGate-Error"))


def call(office: Office, program: Program, action: str, **fields: object) -> dict[str, Any]:
    texts = {name: str(value) for name, value in fields.items()}
    return told(office.post({**program.pair, "action": action, **texts}))


def by_token(office: Office, client: object) -> Browser:
    """A browser that a token for the owner of a client has let in."""
    browser = office.house.browser()
    token = office.call("CreateSsoToken", client_id=client)["access_token"]
    assert browser.ask(link(token)).status == 303
    return browser


# --- People of an application's own database ------------------------------------------------------


@pytest.fixture(scope="module")
def forum(echo: Gunicorn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A gate whose people are an application's, and that trusts one sender with all users."""
    login = [
        {**SENDER, "auto_create": False, "shared_users": True},
        {"kind": "password", "sources": [FORUM]},
        {"kind": "sso_token"},
    ]
    folder = tmp_path_factory.mktemp("forum")
    with office_at(folder, echo.url("").rstrip("/"), login=login) as made:
        yield made


@pytest.fixture
def mia(forum: Office) -> tuple[User, int]:
    """Somebody of the application's staff, who has signed in once and owns a client."""
    name = forum.house.member(team="staff")
    assert forum.house.browser().sign_in(name).status == 303
    user = forum.store.users.get(name)
    assert user
    own = forum.customer()
    forum.member(own.account, user, owner=True)
    return user, own.account.number


def told_by_forum(office: Office, user: User, what: str, value: object) -> None:
    """Change somebody at the application, and wait until it is asked again."""
    office.house.forum(f"UPDATE people SET {what} = ? WHERE id = ?", value, user.external_id)
    time.sleep(0.4)


def test_whom_the_application_bans_no_token_lets_in(forum: Office, mia: tuple[User, int]) -> None:
    """D3, D6."""
    user, client = mia
    token = forum.call("CreateSsoToken", client_id=client)["access_token"]
    told_by_forum(forum, user, "active", 0)

    for one in (token, forum.call("CreateSsoToken", client_id=client).get("access_token", token)):
        browser = forum.house.browser()
        assert browser.ask(link(one)).status == 401
        assert not browser.is_in
    assert forum.store.sessions.listed(user.identity.subject) == []


@pytest.mark.parametrize("door", ["token", "link", "password of the gate's own"])
def test_whom_the_application_bans_no_session_keeps_in(
    forum: Office, mia: tuple[User, int], door: str
) -> None:
    user, client = mia
    browser = forum.house.browser()
    if door == "token":
        browser = by_token(forum, client)
    elif door == "link":
        assert browser.ask(new_link(user.identity.username, groups="staff")).status == 303
    else:
        forum.store.secrets.set_password(user.identity.subject, HASH, now())
        assert browser.sign_in(user.identity.username).status == 303
    assert browser.is_in

    told_by_forum(forum, user, "active", 0)

    assert browser.everywhere() <= {302, 303, 401}
    told_by_forum(forum, user, "active", 1)
    assert not browser.is_in


def test_groups_that_the_application_takes_away_are_gone_however_one_came(
    forum: Office, mia: tuple[User, int]
) -> None:
    user, client = mia
    browser = by_token(forum, client)
    assert browser.ask("/admin/x").status == 200

    told_by_forum(forum, user, "team", "")

    assert browser.ask("/admin/x").status == 403
    assert browser.is_in


# --- Users whom a program makes -------------------------------------------------------------------


@pytest.mark.parametrize("action", ["AddUser", "AddClient"])
def test_a_program_cannot_wait_in_the_account_of_whom_a_sender_will_bring(
    office: Office, action: str
) -> None:
    email = f"boss-{action.lower()}@example.com"
    made = call(office, office.credential(action), action, **NEWCOMER, email=email)
    assert made["result"] == "success"

    victim, program = office.house.browser(), office.house.browser()
    answer = victim.ask(new_link(email, email=email, groups="staff"))

    assert (answer.status, code(answer)) == (400, "400E4")
    assert not victim.is_in
    assert program.sign_in(email, PASSWORD).status == 303, "whom it made signs in here as ever"
    assert program.ask("/admin/x").status == 403


def test_whom_a_sender_signs_out_is_not_whom_a_program_made(office: Office) -> None:
    call(office, office.program, "AddUser", **NEWCOMER, email="stay@example.com")
    browser = office.house.browser()
    browser.sign_in("stay@example.com", PASSWORD)

    office.house.browser().ask(new_link("stay@example.com", mode="logout"))

    assert browser.is_in


# --- Further clients ------------------------------------------------------------------------------


def further(office: Office, user: User) -> str | None:
    """Give a user another client, by a program that may do no more; give what it is told."""
    asked = {"owner_user_id": user.number, "email": "x@example.com", "skipvalidation": 1}
    found = call(office, office.credential("AddClient"), "AddClient", **asked)
    return str(found["message"]) if found["result"] == "error" else None


def test_a_further_client_gets_no_token_for_whom_there_was_none(office: Office) -> None:
    off = office.customer(allow_single_sign_on=False)
    closed = office.customer()
    office.store.secrets.set_password(closed.subject, HASH, now())
    office.call("CloseClient", clientid=closed.account.number)
    staff = office.house.person("staff-alone", groups=frozenset({"staff"}))
    alone = office.store.users.of(staff.identity.subject)
    assert alone

    for user in (off.user, closed.user, alone):
        assert further(office, user) == "Invalid owner_user_id"
    assert office.house.browser().sign_in(closed.user).status == 404
    assert further(office, office.customer().user) is None


def test_whoever_switches_single_sign_on_off_for_one_account_is_reached_by_none(
    office: Office,
) -> None:
    """The session would be the same."""
    one, other = office.customer(), office.customer()
    office.member(other.account, one.user, owner=True)
    client, token = office.client(other), office.token(other)
    set_single_sign_on(office.store, one.account.number, False, by=SUE, now=now())

    browser = office.house.browser()
    answer = office.post({"grant_type": "single_sign_on", **client.client_pair}, to=TOKEN)

    assert told(answer)["error"] == "unauthorized_client"
    number = other.account.number
    message = f"SSO authentication blocked for client {number}"
    assert office.call("CreateSsoToken", client_id=number)["message"] == message
    assert browser.ask(link(token)).status == 401
    assert not browser.is_in


@pytest.mark.parametrize(
    ("action", "more"),
    [
        pytest.param("CloseClient", {}, id="closed"),
        pytest.param("DeleteClient", {}, id="deleted"),
        pytest.param("UpdateClient", {"status": "Closed"}, id="closed by an update"),
    ],
)
def test_no_program_shuts_an_administrator_out(
    office: Office, action: str, more: dict[str, str]
) -> None:
    customer = office.customer()
    office.store.secrets.set_password(customer.subject, HASH, now())
    add_administrator(office.store, customer.subject, (), by=SUE, now=now())
    browser = office.house.browser()
    browser.sign_in(customer.user)

    found = call(
        office, office.credential(action), action, clientid=customer.account.number, **more
    )

    assert found["result"] == "error"
    assert browser.is_in
    assert office.house.browser().sign_in(customer.user).status == 303


# --- OAuth clients --------------------------------------------------------------------------------


def changed(office: Office, customer: Customer, **fields: object) -> None:
    number = customer.service.number
    SERVICES.change(office.store, number, partial(replace, **fields), by=SUE, now=now())


def asked(office: Office, client: Program) -> dict[str, Any]:
    return told(office.post({"grant_type": "single_sign_on", **client.client_pair}, to=TOKEN))


def test_the_secret_of_a_former_owner_of_a_service_opens_nothing(office: Office) -> None:
    seller, buyer = office.customer(), office.customer()
    client = office.client(seller)
    assert "access_token" in asked(office, client)

    changed(office, seller, account=buyer.account.number)

    assert asked(office, client)["error"] == "unauthorized_client"
    assert "access_token" in asked(office, office.client(seller)), "a new client is the buyer's"


@pytest.mark.parametrize(
    "status", [ServiceStatus.TERMINATED, ServiceStatus.CANCELLED, ServiceStatus.FRAUD]
)
def test_a_service_that_is_over_lets_nobody_in(office: Office, status: ServiceStatus) -> None:
    customer = office.customer()
    client = office.client(customer)

    changed(office, customer, status=status)

    assert asked(office, client)["error"] == "unauthorized_client"


def test_a_program_gives_itself_no_further_destination_by_a_client_of_its_own(
    office: Office,
) -> None:
    customer, scopes = office.customer(), frozenset({"clientarea:tickets"})
    program = office.credential("CreateOAuthCredential", "UpdateOAuthCredential", scopes=scopes)
    wanted = {"granttype": "single_sign_on", "serviceid": customer.service.number}
    known = office.client(customer)

    made = call(office, program, "CreateOAuthCredential", **wanted, scope="clientarea:billing_info")
    reset = call(office, program, "UpdateOAuthCredential", credentialid=known.number, resetsecret=1)

    assert (made["result"], reset["result"]) == ("error", "error")
    assert "access_token" in asked(office, known), "the old secret is not dead"
    good = call(office, program, "CreateOAuthCredential", **wanted, scope="clientarea:tickets")
    assert good["result"] == "success"


# --- Where a program calls from -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("forwarded", "seen"),
    [
        pytest.param("203.0.113.9", "203.0.113.9", id="an address"),
        pytest.param("203.0.113.9:4711", "203.0.113.9", id="with a port"),
        pytest.param("[2001:db8::1]:443", "2001:db8::1", id="IPv6 with a port"),
        pytest.param("[2001:db8::1]", "2001:db8::1", id="IPv6 in brackets"),
        pytest.param("unknown", "unknown", id="no address"),
        pytest.param("_hidden", "unknown", id="a name"),
        pytest.param("203.0.113.9, unix:", "unknown", id="a socket"),
        pytest.param("203.0.113.9,", "unknown", id="nothing"),
        pytest.param("127.0.0.1, unknown", "unknown", id="this machine, named in front"),
    ],
)
def test_a_proxy_that_names_no_address_opens_the_api_to_nobody(
    office: Office, forwarded: str, seen: str
) -> None:
    """E2: a visitor has the proxy's address then, and the proxy is on this machine."""
    sent = {**office.program.pair, "action": "GetServers"}
    answer = office.post(sent, f"X-Forwarded-For: {forwarded}")

    assert answer.status == 403
    assert told(answer)["message"] == f"Invalid IP {seen}"


# --- Passwords that a program asks about ----------------------------------------------------------


def judged(office: Office, name: str, password: str = "wrong password") -> str:
    found = office.call("ValidateLogin", email=name, password2=password)
    return str(found.get("message", found["result"]))


def test_guesses_at_a_shops_form_keep_nobody_else_waiting(office: Office) -> None:
    """The shop has one address for all of its visitors."""
    good = office.house.person().identity.username
    wrong = at_once(lambda n: judged(office, f"nobody{n}@x.example"), [*range(60)], threads=4)

    assert set(wrong) == {"Email or Password Invalid"}
    assert judged(office, good, RIGHT) == "success"
    assert Browser(office.house, "127.0.0.1").sign_in(good).status == 303


def test_guesses_at_one_person_by_a_program_come_to_an_end(office: Office) -> None:
    person = office.house.person()
    name = person.identity.username
    wrong = [judged(office, name) for _ in range(10)]

    assert set(wrong) == {"Email or Password Invalid"}
    assert judged(office, name).startswith("There were too many tries")
    assert judged(office, name, RIGHT).startswith("There were too many tries")
    assert office.house.browser().sign_in(person).status == 303, "at the gate's own page"


# --- A second factor that is still owed -----------------------------------------------------------


@pytest.mark.parametrize("what", ["switched off", "removed", "closed"])
def test_half_a_sign_in_ends_with_what_let_it_begin(office: Office, what: str) -> None:
    customer, other = office.customer(), office.customer()
    office.house.owing(customer.user)
    office.member(other.account, customer.user)
    browser, number = office.house.browser(), customer.account.number
    assert browser.ask(link(office.token(customer))).header("Location") == FACTOR

    if what == "switched off":
        set_single_sign_on(office.store, number, False, by=SUE, now=now())
    elif what == "removed":
        remove_member(office.store, number, customer.subject, by=SUE, now=now())
    else:
        office.call("CloseClient", clientid=number)
    browser.post(FACTOR, code=RECOVERY[0])

    assert not browser.is_in
    assert office.sessions(customer) == 0
