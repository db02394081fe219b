"""A person signs in to an application that knows the gate by Authlib, and out, in Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from ssogate.provider.addresses import AUTHORIZE
from tests.browser.conftest import MakePage
from tests.browser.demonstration import fill_in
from tests.real.relying_parties import (
    APPLICATIONS,
    NAME,
    Application,
    Places,
    Provider,
    own_folder,
    provider,
)

pytestmark = [pytest.mark.server, pytest.mark.browser]


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Provider, str]]:
    with provider(tmp_path_factory.mktemp("provider") / "gate") as serving:
        yield serving


@pytest.fixture(scope="module")
def calendar(
    gate: tuple[Provider, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Application]:
    folder = own_folder(tmp_path_factory.mktemp("app"), "own")
    with APPLICATIONS["Authlib"](Places(*gate, folder)) as running:
        yield running


def sign_in(page: Page, calendar: Application) -> None:
    page.goto(calendar.url)
    page.get_by_role("link", name="Sign in").click()
    fill_in(page, "sue")


def greeted(page: Page, calendar: Application) -> None:
    page.wait_for_url(f"{calendar.url}/")
    expect(page.get_by_text(f"Signed in as {NAME}")).to_be_visible()


def allow(page: Page) -> None:
    """Say yes, if this person has not been asked before."""
    button = page.get_by_role("button", name="Allow")
    expect(button.or_(page.get_by_text(f"Signed in as {NAME}"))).to_be_visible()
    if button.is_visible():
        button.click()


def asking(gate: Provider, redirect_uri: str, **more: str) -> str:
    """The address at which a new client asks."""
    told = gate.add_client("Letters", "--redirect-uri", redirect_uri)
    asked = {
        "client_id": told["CLIENT_ID"],
        "response_type": "code",
        "redirect_uri": redirect_uri,
        "scope": "openid email",
        "code_challenge": "c" * 43,
        "code_challenge_method": "S256",
        **more,
    }
    return f"{gate.issuer}{AUTHORIZE}?{urlencode(asked)}"


def test_the_gate_asks_whether_to_go_on_and_says_with_what(
    page: Page, gate: tuple[Provider, str]
) -> None:
    page.goto(asking(gate[0], "https://letters.example/back"))
    fill_in(page, "sue")

    expect(page.get_by_role("heading", level=1)).to_contain_text("Letters")
    expect(page.get_by_text("See your e-mail address")).to_be_visible()
    expect(page.get_by_text("Your answer goes to letters.example")).to_be_visible()


def test_an_answer_by_form_arrives_by_itself(page: Page, gate: tuple[Provider, str]) -> None:
    """The page's own policy lets its one script run and its form go to the client, and there
    only; the forms before it do not stop it."""
    # At another host than the gate's: there, no client is answered by a form.
    back = f"{gate[1]}/back".replace("127.0.0.1", "localhost")
    page.goto(asking(gate[0], back, response_mode="form_post", state="s t&a=te"))
    fill_in(page, "sue")
    page.get_by_role("button", name="Allow").click()

    page.wait_for_url(back)
    assert '"method": "POST"' in page.content()


def test_a_person_signs_in_to_an_application_and_out_at_both_ends(
    page: Page, gate: tuple[Provider, str], calendar: Application
) -> None:
    sign_in(page, calendar)
    allow(page)
    greeted(page, calendar)

    page.get_by_role("link", name="Refresh").click()
    expect(page.get_by_text("Refreshed 1 times")).to_be_visible()

    page.get_by_role("link", name="Sign out").click()
    page.wait_for_url(f"{calendar.url}/")
    expect(page.get_by_text("Nobody is signed in")).to_be_visible()
    page.goto(f"{gate[0].issuer}/_sso/account")
    expect(page.locator("[name=password]")).to_be_visible()


def test_who_signs_out_at_the_gate_is_signed_out_of_the_application(
    new_page: MakePage, gate: tuple[Provider, str], calendar: Application
) -> None:
    page = new_page()
    sign_in(page, calendar)
    allow(page)
    greeted(page, calendar)

    page.goto(f"{gate[0].issuer}/_sso/account")
    page.get_by_role("button", name="Sign out", exact=True).click()

    nobody = page.get_by_text("Nobody is signed in")
    for _ in range(100):  # the gate tells applications a moment later
        page.goto(calendar.url)
        if nobody.is_visible():
            break
        page.wait_for_timeout(200)
    expect(nobody).to_be_visible()
