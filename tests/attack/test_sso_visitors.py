"""Row G-WHMCS: a token that meets another visitor's session, and where tokens lead."""

from __future__ import annotations

import re

import pytest

from tests.attack.house import SESSION, Browser
from tests.attack.office import TARGET, Customer, Office, link
from tests.attack.stage import PAGE
from tests.attack.test_redirect_targets import OFF_SITE
from tests.attack.test_sso_tokens import assert_neutral

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def joe(office: Office) -> Customer:
    return office.customer()


@pytest.fixture(scope="module")
def ann(office: Office) -> Customer:
    return office.customer()


# --- Another visitor is signed in -----------------------------------------------------------------


def question(browser: Browser, token: str) -> dict[str, str]:
    """Follow a stranger's token; give the fields of the form that asks."""
    answer = browser.ask(link(token), *PAGE)
    assert answer.status == 200
    assert answer.header("Set-Cookie") is None
    found = dict(re.findall(r'name="(\w+)" value="([^"]*)"', answer.text))
    assert found.keys() >= {"access_token", "confirm"}
    return found


def confirming(fields: dict[str, str]) -> str:
    return f"{link(fields['access_token'])}&confirm={fields['confirm']}"


def test_a_visitor_is_moved_to_another_account_by_his_own_word_alone(
    office: Office, joe: Customer, ann: Customer
) -> None:
    """C1."""
    visitor, attacker = office.house.browser(), office.house.browser()
    visitor.ask(link(office.token(joe)))
    attacker.ask(link(office.token(joe)))
    anns, others = office.tokens([ann], 2)
    stolen, strange = question(attacker, anns), question(visitor, others)
    wrong = {
        "nothing": link(anns),
        "yes": f"{link(anns)}&confirm=1",
        "of another session": confirming(stolen),
        "of another token": f"{link(anns)}&confirm={strange['confirm']}",
        "a wrong one after": f"{confirming(question(visitor, anns))}&confirm=x",
        "beyond ASCII": f"{link(anns)}&confirm=%c3%a4",
    }
    for name, target in wrong.items():
        answer = visitor.ask(target, *PAGE)
        assert (answer.status, answer.header("Set-Cookie")) == (200, None), name
        assert visitor.who == joe.user.identity.canonical, name

    assert visitor.ask(confirming(question(visitor, anns)), *PAGE).status == 303
    assert visitor.who == ann.user.identity.canonical
    assert_neutral(office.house.browser().ask(link(anns), *PAGE), anns)


def test_the_browser_that_a_token_let_in_is_sent_on_and_nobody_else(
    office: Office, joe: Customer
) -> None:
    token = office.token(joe)
    browser = office.house.browser()
    browser.ask(link(token))
    cookie = browser.cookies[SESSION]

    again = browser.ask(link(token), *PAGE)

    assert (again.status, again.header("Location")) == (303, TARGET)
    assert browser.cookies[SESSION] == cookie
    browser.post("/_sso/sign-out")
    assert_neutral(browser.ask(link(token), *PAGE), token)


# --- Where tokens lead ----------------------------------------------------------------------------

PLAIN = {"evil.example": "/evil.example", "@evil.example": "/@evil.example"}
"""Of the targets that lead off a site, those that are names of files here."""


@pytest.mark.parametrize("path", OFF_SITE)
def test_a_path_of_a_program_leads_to_no_other_site(
    office: Office, joe: Customer, path: str
) -> None:
    """F1, through the API."""
    found = office.call(
        "CreateSsoToken",
        client_id=joe.account.number,
        destination="sso:custom_redirect",
        sso_redirect_path=path,
    )

    if path in PLAIN:
        answer = office.house.browser().ask(link(found["access_token"]))
        assert answer.header("Location") == PLAIN[path]
    else:
        assert found["result"] == "error"
        assert "access_token" not in found
        assert "evil" not in found["message"]


def test_a_redemption_takes_no_target_from_the_visitor(office: Office, joe: Customer) -> None:
    (token,) = office.tokens([joe], 1)
    more = "&".join(
        f"{name}=//evil.example" for name in ("return_to", "rd", "sso_redirect_path", "destination")
    )

    answer = office.house.browser().ask(f"{link(token)}&{more}")

    assert answer.header("Location") == TARGET


@pytest.mark.parametrize(
    "path", ["sso.php?mode=logout", "oauth/singlesignon.php?access_token=x", "_sso/sign-out"]
)
def test_a_path_of_a_program_is_no_door_of_the_gate(
    office: Office, joe: Customer, path: str
) -> None:
    token = office.token(joe, destination="sso:custom_redirect", sso_redirect_path=path)

    assert office.house.browser().ask(link(token)).header("Location") == "/"
