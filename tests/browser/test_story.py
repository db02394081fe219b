"""The demonstration in a real Chromium, as `make run` starts it: in by a signed link, and out."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import MakePage
from tests.browser.demonstration import Places

pytestmark = [pytest.mark.server, pytest.mark.browser]


def come_in(page: Page, places: Places, person: str, wanted: str) -> None:
    """Ask for a page, choose the members' house, log in there, and follow its link. A link works
    once, and two for one person and page, of one second, are one link: each test has a page of its
    own."""
    page.goto(places.gate + wanted)
    page.get_by_role("link", name="Continue with Members' House").click()
    page.get_by_role("button", name=re.compile(person)).click()
    page.get_by_role("link", name="Continue to the club pages").click()


def test_the_whole_story(page: Page, places: Places) -> None:
    come_in(page, places, "John", "/article.php?id=31")

    expect(page).to_have_url(f"{places.gate}/article.php?id=31")
    expect(page.locator("#visitor")).to_have_text(re.compile("John"))

    page.goto(f"{places.gate}/members/")
    expect(page.locator("#identity")).to_contain_text("members")
    page.get_by_role("link", name="Sign out").click()
    expect(page.get_by_role("heading")).to_have_text("You are signed out")

    page.go_back()
    expect(page.get_by_text("Good to see you")).to_have_count(0)
    expect(page).to_have_url(f"{places.gate}/_sso/sign-in?return_to=%2Fmembers%2F")


def test_a_link_from_the_history_signs_nobody_in(page: Page, places: Places) -> None:
    page.goto(f"{places.house}/sso?redirect=/members/%3Fhistory")
    page.get_by_role("button", name=re.compile("John")).click()
    link = page.get_by_role("link", name="Continue to the club pages").get_attribute("href")
    assert link

    page.goto(link)
    page.goto(link)  # a second time in the same session: simply sent on
    expect(page).to_have_url(f"{places.gate}/members/?history")
    page.get_by_role("link", name="Sign out").click()
    page.goto(link)

    expect(page.get_by_role("heading")).to_have_text("This sign-in link is too old")
    expect(page.locator("footer")).to_contain_text("400E3")


def test_a_member_is_told_why_the_staff_page_is_shut(page: Page, places: Places) -> None:
    come_in(page, places, "John", "/members/?shut")
    page.get_by_role("link", name="Staff").click()

    expect(page.get_by_role("heading")).to_have_text("You may not open this page")
    expect(page.get_by_role("main")).to_contain_text("staff")


def test_staff_send_a_form_through_the_gate(page: Page, places: Places) -> None:
    come_in(page, places, "Sue", "/staff/")
    page.get_by_role("textbox").first.fill("Boats go out at <nine> & not before")
    page.get_by_role("button").first.click()
    page.goto(f"{places.gate}/members/")

    expect(page.locator("#notices")).to_contain_text("Boats go out at <nine> & not before")


def test_who_is_signed_in_already_is_asked_before_becoming_somebody_else(
    page: Page, places: Places
) -> None:
    come_in(page, places, "John", "/members/")
    page.goto(places.house)
    page.get_by_role("button", name=re.compile("Log out")).click()
    page.goto(f"{places.house}/sso?redirect=/members/")
    page.get_by_role("button", name=re.compile("Sue")).click()
    page.get_by_role("link", name="Continue to the club pages").click()
    expect(page.locator("#visitor, h1").first).to_be_visible()

    if page.get_by_role("button", name="Sign in as sue").count():
        page.get_by_role("button", name="Sign in as sue").click()

    expect(page.locator("#visitor")).to_have_text(re.compile("Sue"))


def test_pages_of_the_gate_work_without_scripts_and_load_nothing(
    new_page: MakePage, places: Places
) -> None:
    page = new_page(java_script_enabled=False)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text))
    page.goto(f"{places.gate}/_sso/signed-out")

    expect(page.get_by_role("link", name="Go to the front page")).to_be_visible()
    assert page.locator("body").evaluate("e => getComputedStyle(e).display") == "grid"
    assert [url for url in asked if "/_sso/" not in url and "favicon" not in url] == []
    assert errors == []
