"""Sign-in by password, as people do it: by mouse, by keyboard, on a phone, without scripts."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import MakePage
from tests.browser.demonstration import PASSWORD, Places, fill_in, sign_in

pytestmark = [pytest.mark.server, pytest.mark.browser]

PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, id="desktop"),
        pytest.param(PHONE, id="phone"),
        pytest.param({"java_script_enabled": False}, id="without scripts"),
    ],
)
def test_a_wrong_password_is_told_and_the_right_one_leads_to_the_page_asked_for(
    new_page: MakePage, places: Places, settings: dict[str, Any]
) -> None:
    page, person = new_page(**settings), places.somebody()
    page.goto(f"{places.gate}/article.php?id=31")
    page.get_by_label("User name").fill(person)
    page.get_by_label("Password", exact=True).fill("a wrong one")
    page.get_by_role("button", name="Sign in").click()

    told = "No one here has this user name and this password."
    expect(page.get_by_role("alert")).to_have_text(told)
    expect(page.get_by_label("User name")).to_have_value(person)
    expect(page.get_by_label("Password", exact=True)).to_have_value("")

    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{places.gate}/article.php?id=31")
    expect(page.locator("#visitor")).to_have_text("Pat")


def test_a_wrong_password_is_read_out_where_the_cursor_is(page: Page, places: Places) -> None:
    page.goto(f"{places.gate}/members/")
    fill_in(page, "ann", "a wrong one")

    password = page.get_by_label("Password", exact=True)
    expect(password).to_be_focused()
    expect(password).to_have_accessible_description(
        "No one here has this user name and this password."
    )
    expect(password).to_have_attribute("aria-invalid", "true")


@pytest.mark.parametrize("typed", ["ann", "ANN", "Ann@Harbour.example"])
def test_any_spelling_of_the_name_or_the_address_will_do(
    page: Page, places: Places, typed: str
) -> None:
    page.goto(f"{places.gate}/members/")
    fill_in(page, typed)

    expect(page.locator("#visitor")).to_have_text("Ann Baker")


def test_the_keyboard_alone_leads_in_and_out(page: Page, places: Places) -> None:
    person = places.somebody()
    page.goto(f"{places.gate}/members/")
    expect(page.get_by_label("User name")).to_be_focused()  # a paint after the load
    page.keyboard.type(person)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{places.gate}/members/")

    page.goto(f"{places.gate}/_sso/account")
    reached = [tab_on(page) for _ in range(4)]
    for _ in range(3):
        page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")

    assert reached == ["Sign out", "My services", "Applications", "Go to the front page"]
    expect(page.get_by_role("heading")).to_have_text("You are signed out")


def tab_on(page: Page) -> str:
    """Go to the next thing, which must be seen to have the focus; gives its text."""
    page.keyboard.press("Tab")
    focused = page.locator(":focus")
    expect(focused).to_have_css("outline-style", "solid")
    expect(focused).to_have_css("outline-width", "3px")
    return focused.inner_text()


@pytest.mark.parametrize("language", ["de-DE", "de-AT"])
def test_who_reads_german_reads_german(new_page: MakePage, places: Places, language: str) -> None:
    page = new_page(locale=language)
    page.goto(f"{places.gate}/members/")
    expect(page.locator("html")).to_have_attribute("lang", "de")
    expect(page.get_by_role("heading")).to_have_text("Anmelden")
    fill_in(page, "nobody")
    expect(page.get_by_role("alert")).to_have_text(
        "Niemand hier hat diesen Benutzernamen und dieses Passwort."
    )

    sign_in(page, places, places.somebody())
    expect(page.get_by_role("heading", level=1)).to_have_text("Mein Konto")


def test_who_is_closed_out_is_told_only_with_the_right_password(page: Page, places: Places) -> None:
    page.goto(f"{places.gate}/members/")
    fill_in(page, "finn", "a wrong one")  # of an account that is Closed
    expect(page.get_by_role("alert")).to_contain_text("No one here")

    fill_in(page, "finn")

    expect(page.get_by_role("alert")).not_to_contain_text("No one here")
    page.goto(f"{places.gate}/members/")
    expect(page).to_have_url(f"{places.gate}/_sso/sign-in?return_to=%2Fmembers%2F")
