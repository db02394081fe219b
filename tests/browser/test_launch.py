"""From the page of a service to a panel's first page, with no password for the panel."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import MakePage
from tests.browser.demonstration import Places, sign_in


def test_the_button_of_a_service_opens_its_panel_signed_in(page: Page, places: Places) -> None:
    page.goto(places.panel)
    expect(page.get_by_role("heading")).to_have_text("Not signed in")
    sign_in(page, places, "ann")

    page.get_by_role("link", name="My services").click()
    page.get_by_role("link", name="Boathouse panel").click()
    page.get_by_role("link", name="Log in to Boathouse panel").click()

    page.wait_for_url(f"{places.panel}/")
    expect(page.locator("#person")).to_have_text("harbour")
    page.go_back()
    expect(page.get_by_role("heading", name="Boathouse panel")).to_be_visible()


def test_a_shortcut_opens_its_own_page(page: Page, places: Places) -> None:
    sign_in(page, places, "bob", "/_sso/services")
    page.get_by_role("link", name="Boathouse panel").click()
    page.get_by_role("link", name="Bookings").click()

    page.wait_for_url(f"{places.panel}/bookings")
    expect(page.locator("#person")).to_have_text("harbour")


def test_a_link_from_another_site_opens_the_page_with_the_button(
    new_page: MakePage, places: Places
) -> None:
    page = new_page()
    sign_in(page, places, "ann", "/_sso/services")
    page.get_by_role("link", name="Boathouse panel").click()
    number = re.fullmatch(r".*/_sso/services/([0-9]+)", page.url)
    assert number
    url = f"{places.gate}/clientarea.php?action=productdetails&id={number[1]}&dosinglesignon=1"
    page.goto(places.house)
    page.evaluate(f"document.body.innerHTML = '<a href=\"{url}\">Free boats</a>'")

    page.get_by_role("link", name="Free boats").click()

    page.wait_for_url(f"{places.gate}/_sso/services/{number[1]}")
    expect(page.get_by_role("link", name="Log in to Boathouse panel")).to_be_visible()


def test_an_administrators_button_may_lead_away(page: Page, places: Places) -> None:
    """The form's redirect is let through by the page's own policy, and the panel says no: the
    demonstration's has no such function, which the visitor reads."""
    sign_in(page, places, "ann", "/_sso/admin/servers")
    assert "web2" not in page.content()
    page.get_by_role("listitem").filter(has_text="boathouse").get_by_role("button").click()

    expect(page.get_by_role("heading")).to_have_text("Action Failed")
