"""The demonstration in a real Chromium, as `make run` starts it: the whole story of one visitor."""

from __future__ import annotations

import os
import re
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.servers import Process

pytestmark = [pytest.mark.server, pytest.mark.browser]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or "chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@dataclass(frozen=True, slots=True)
class Places:
    gate: str
    club: str
    house: str


class Demonstration(Process):
    """`make run`'s program, on three free ports."""

    def __init__(self, var: Path) -> None:
        port = _three_free_ports()
        self.places = Places(
            f"http://localhost:{port}",
            f"http://127.0.0.1:{port + 1}",
            f"http://127.0.0.1:{port + 2}",
        )
        environ = {"SSOGATE_DEMO_PORT": str(port), "SSOGATE_DEMO_VAR": str(var)}
        super().__init__([sys.executable, "examples/demo/run.py"], env=environ)

    def wait_until_ready(self) -> None:
        self.until("Ctrl-C", timeout=40)


def _three_free_ports() -> int:
    for start in range(18000 + os.getpid() % 997 * 3, 30000, 3):
        try:
            for port in range(start, start + 3):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return start
    raise AssertionError("no three free ports in a row")


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    with Demonstration(tmp_path_factory.mktemp("demo") / "var") as demonstration:
        yield demonstration.places


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    context.set_default_timeout(15_000)
    yield context.new_page()
    context.close()


def come_in(page: Page, places: Places, person: str, wanted: str) -> None:
    """Ask for a page, log in at the members' house, and follow its link."""
    page.goto(places.gate + wanted)
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
    expect(page).to_have_url(re.compile(re.escape(places.house)))


def test_a_link_from_the_history_signs_nobody_in(page: Page, places: Places) -> None:
    page.goto(f"{places.gate}/members/")
    page.get_by_role("button", name=re.compile("John")).click()
    link = page.get_by_role("link", name="Continue to the club pages").get_attribute("href")
    assert link

    page.goto(link)
    page.goto(link)  # a second time in the same session: simply sent on
    expect(page).to_have_url(f"{places.gate}/members/")
    page.get_by_role("link", name="Sign out").click()
    page.goto(link)

    expect(page.get_by_role("heading")).to_have_text("This sign-in link is too old")
    expect(page.locator("footer")).to_contain_text("400E3")


def test_a_member_is_told_why_the_staff_page_is_shut(page: Page, places: Places) -> None:
    come_in(page, places, "John", "/members/")
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


@pytest.mark.parametrize("width", [360, 1280])
def test_no_page_of_the_gate_is_wider_than_the_screen(
    browser: Browser, places: Places, width: int
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 740})
    page = context.new_page()
    for address in ("/_sso/signed-out", "/_sso/sign-in", "/_sso/none", "/sso.php?mode=login"):
        page.goto(places.gate + address)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address
    context.close()


def test_pages_of_the_gate_work_without_scripts_and_load_nothing(
    browser: Browser, places: Places
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text))
    page.goto(f"{places.gate}/_sso/signed-out")

    expect(page.get_by_role("link", name="Go to the front page")).to_be_visible()
    assert page.locator("body").evaluate("e => getComputedStyle(e).display") == "grid"
    assert [url for url in asked if "/_sso/" not in url and "favicon" not in url] == []
    assert errors == []
    context.close()
