"""My account in a browser: sessions, password and second factor, in the hands of their owner."""

from __future__ import annotations

import time
from base64 import b32decode

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from playwright.sync_api import Page, expect

from tests.browser.conftest import MakePage
from tests.browser.demonstration import PASSWORD, Places, fill_in, sign_in

pytestmark = [pytest.mark.server, pytest.mark.browser]

PERIOD = 30  # seconds; an app's next code, which no sign-in has spent, is good already


def code_of(secret: str, *, later: int = 0) -> str:
    """What an authenticator app shows."""
    return TOTP(b32decode(secret), 6, SHA1(), PERIOD).generate(int(time.time()) + later).decode()


def switch_on(page: Page, places: Places) -> tuple[str, list[str]]:
    """Switch the second factor on; gives its secret and the recovery codes."""
    page.goto(f"{places.gate}/_sso/account")
    page.get_by_role("link", name="Switch the second factor on").click()
    secret = page.locator("p .code").inner_text().replace(" ", "")
    page.get_by_label("Code").fill(code_of(secret))
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Switch on").click()
    codes = page.get_by_role("listitem").all_inner_texts()
    page.get_by_role("link", name="I have kept them").click()
    return secret, codes


def sign_out(page: Page, places: Places) -> None:
    page.goto(f"{places.gate}/_sso/account")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading")).to_have_text("You are signed out")


def sign_in_with(page: Page, places: Places, person: str, code: str) -> None:
    page.goto(f"{places.gate}/members/")
    fill_in(page, person)
    expect(page.get_by_role("heading")).to_have_text("One more step")
    expect(page.get_by_label("Code")).to_be_focused()  # a paint after the load
    page.keyboard.type(code)
    page.keyboard.press("Enter")


def test_the_old_app_leads_to_it_and_it_leads_back(page: Page, places: Places) -> None:
    sign_in(page, places, "cara", "/members/")
    page.get_by_role("link", name="My account").click()

    expect(page.get_by_role("main")).to_contain_text("Cara Díaz · cara@harbour.example")
    expect(page.get_by_role("region", name="My companies")).to_contain_text("Harbour Rowing Club")

    page.get_by_role("link", name="Go to the front page").click()
    expect(page).to_have_url(f"{places.gate}/")


def test_a_session_that_is_ended_is_out_at_its_next_click(
    new_page: MakePage, places: Places
) -> None:
    person, here, elsewhere = places.somebody(), new_page(), new_page()
    sign_in(here, places, person)
    sign_in(elsewhere, places, person, "/members/")
    here.reload()
    sessions = here.get_by_role("region", name="Where you are signed in").get_by_role("listitem")
    expect(sessions).to_have_count(2)

    here.get_by_role("button", name="End this session").click()

    expect(sessions).to_have_count(1)
    expect(sessions).to_contain_text("this session")
    elsewhere.get_by_role("link", name="Who rows when").click()
    expect(elsewhere).to_have_url(f"{places.gate}/_sso/sign-in?return_to=%2Fmembers%2Frota")
    here.goto(f"{places.gate}/members/")
    expect(here.locator("#visitor")).to_have_text("Pat")


def test_a_changed_password_ends_the_other_sessions_and_the_old_password(
    new_page: MakePage, places: Places
) -> None:
    person, here, elsewhere = places.somebody(), new_page(), new_page()
    sign_in(here, places, person)
    sign_in(elsewhere, places, person, "/members/")
    here.get_by_role("link", name="Change the password").click()
    here.get_by_label("Current password").fill(PASSWORD)
    here.get_by_label("New password", exact=True).fill("a new one, quite long")
    here.get_by_label("New password, once more").fill("a new one, quite long")
    here.get_by_role("button", name="Change the password").click()

    expect(here.get_by_role("heading", level=1)).to_have_text("My account")
    elsewhere.reload()
    fill_in(elsewhere, person)
    expect(elsewhere.get_by_role("alert")).to_contain_text("No one here")
    fill_in(elsewhere, person, "a new one, quite long")
    expect(elsewhere).to_have_url(f"{places.gate}/members/")


def test_a_second_factor_lets_in_by_code_and_each_recovery_code_once(
    page: Page, places: Places
) -> None:
    person = places.somebody()
    sign_in(page, places, person)
    secret, codes = switch_on(page, places)
    assert len(set(codes)) == 10
    expect(page.get_by_role("main")).to_contain_text("You have 10 recovery codes left.")

    sign_out(page, places)
    sign_in_with(page, places, person, code_of(secret, later=PERIOD))
    expect(page).to_have_url(f"{places.gate}/members/")

    sign_out(page, places)
    sign_in_with(page, places, person, codes[0])
    expect(page).to_have_url(f"{places.gate}/members/")
    page.goto(f"{places.gate}/_sso/account")
    expect(page.get_by_role("main")).to_contain_text("You have 9 recovery codes left.")

    sign_out(page, places)
    sign_in_with(page, places, person, codes[0])
    expect(page.get_by_role("alert")).to_contain_text("was used already")
    page.goto(f"{places.gate}/members/")
    expect(page).to_have_url(f"{places.gate}/_sso/sign-in?return_to=%2Fmembers%2F")


def test_a_signed_link_is_not_enough_for_who_has_a_second_factor(
    new_page: MakePage, places: Places
) -> None:
    person, page, phone = places.somebody(), new_page(), new_page(java_script_enabled=False)
    sign_in(page, places, person)
    secret, _ = switch_on(page, places)

    phone.goto(places.link(person, "/members/rota"))
    expect(phone.get_by_role("heading")).to_have_text("One more step")
    phone.goto(f"{places.gate}/members/")
    expect(phone).to_have_url(f"{places.gate}/_sso/sign-in?return_to=%2Fmembers%2F")

    phone.goto(f"{places.gate}/_sso/second-factor")
    phone.get_by_label("Code").fill(code_of(secret, later=PERIOD))
    phone.get_by_role("button", name="Sign in").click()
    expect(phone).to_have_url(f"{places.gate}/members/rota")
