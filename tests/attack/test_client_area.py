"""Row G-WHMCS: requests of WHMCS's client area that are the gate's, at an address of the app's."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.attack.house import OURS, Browser
from tests.attack.office import Customer, Office, link
from tests.attack.stage import PAGE

pytestmark = pytest.mark.server

CLIENT_AREA = "/clientarea.php"
TOGGLE = {"action": "security", "toggle_sso": "1", "token": "of-the-apps-own-page"}
CROSS = ("Origin: https://evil.example", "Sec-Fetch-Site: cross-site")


@pytest.fixture
def customer(office: Office) -> Customer:
    return office.customer()


@pytest.fixture
def browser(office: Office, customer: Customer) -> Browser:
    """The customer's, signed in by a token."""
    made = office.house.browser()
    assert made.ask(link(office.token(customer)), *PAGE).status == 303
    return made


def allowed(office: Office, customer: Customer) -> bool:
    account = office.store.accounts.get(customer.account.number)
    assert account
    return account.allow_single_sign_on


def test_the_switch_in_the_clients_own_form_kills_live_tokens(
    office: Office, customer: Customer, browser: Browser
) -> None:
    token = office.token(customer)

    answer = browser.post(CLIENT_AREA, **TOGGLE)

    assert (answer.status, answer.header("Location")) == (303, f"{CLIENT_AREA}?action=security")
    assert not allowed(office, customer)
    assert office.house.browser().ask(link(token), *PAGE).status == 401
    assert browser.post(CLIENT_AREA, **TOGGLE, allow_sso="1").status == 303
    assert allowed(office, customer)
    assert office.house.browser().ask(link(token), *PAGE).status == 401, "dead stays dead"


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(CROSS, id="F2 another site's page"),
        pytest.param(("Origin: null",), id="F2 a page of nowhere"),
        pytest.param(("Sec-Fetch-Site: same-site",), id="F2 a neighbour's page"),
        pytest.param(("X-Nothing: 1",), id="F2 who does not say"),
    ],
)
def test_no_other_sites_page_turns_it(
    office: Office, customer: Customer, browser: Browser, lines: tuple[str, ...]
) -> None:
    assert browser.post(CLIENT_AREA, *lines, **TOGGLE).status == 403
    assert allowed(office, customer)


def test_nobody_turns_it_without_a_session(office: Office, customer: Customer) -> None:
    assert office.house.browser().post(CLIENT_AREA, **TOGGLE).status == 401
    assert allowed(office, customer)


def test_a_member_who_is_not_the_owner_turns_nothing(
    office: Office, customer: Customer, browser: Browser
) -> None:
    other = office.customer()
    office.member(other.account, customer.user)

    for number in (other.account.number, customer.account.number):
        browser.post(CLIENT_AREA, **TOGGLE, account=str(number), client_id=str(number), id="1")

    assert allowed(office, other)
    assert not allowed(office, customer)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"action": "details", "toggle_sso": "1"}, id="another action"),
        pytest.param({"action": "security", "toggle_sso": "yes"}, id="another value"),
        pytest.param({"n": "ä" * 30_000, **TOGGLE}, id="more than our forms hold"),
        pytest.param({f"n{n}": "" for n in range(200)}, id="more fields than ours"),
        pytest.param({b"\xff": b"\xfe"}, id="bytes that are no text"),
    ],
)
def test_what_is_the_apps_reaches_it_byte_for_byte(
    office: Office, customer: Customer, browser: Browser, fields: dict[Any, Any]
) -> None:
    answer = browser.submit(f"{CLIENT_AREA}?a=%ff&b", fields)

    assert answer.status == 200
    seen = json.loads(answer.body)
    sent = urlencode(fields).encode()
    assert (seen["size"], seen["sha256"]) == (len(sent), sha256(sent).hexdigest())
    assert seen["uri"] == f"{CLIENT_AREA}?a=%ff&b"
    assert allowed(office, customer)


def test_the_policies_still_judge_what_is_the_apps(office: Office) -> None:
    """Nobody reaches the app's own forms by the way past the gate's."""
    answer = office.house.browser().submit(CLIENT_AREA, {"action": "details"}, *OURS)

    assert answer.status == 401
