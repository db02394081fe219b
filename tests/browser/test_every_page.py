"""Every page of the gate, as axe-core judges it: in light and dark, on a screen and on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page

from ssogate.portal.applications import APPLICATIONS
from ssogate.provider.addresses import AUTHORIZE, DEVICE, END_SESSION
from ssogate.provider.clients.credentials_page import CREDENTIALS
from tests.browser.conftest import MakePage
from tests.browser.demonstration import PASSWORD, Places, fill_in, sign_in
from tests.browser.test_account import code_of
from tests.servers import PROJECT

pytestmark = [pytest.mark.server, pytest.mark.browser]

AXE = Path(__file__).with_name("node_modules") / "axe-core/axe.min.js"
TEMPLATES = PROJECT / "ssogate/http/templates"
NO_PAGES = {"base", "fields", "scopes"}
VILLAGE = "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch"
CLIENT = "https://library.rowing-club-on-the-northern-lake.example"
BACK = f"{CLIENT}/index.php/apps/openid_connect/answers-of-the-gate-arrive-here"

DARK_PHONE = {
    "color_scheme": "dark",
    "locale": "de-DE",
    "viewport": {"width": 320, "height": 600},  # WCAG 2.2, 1.4.10: nothing wider down to 320
    "is_mobile": True,
}


@pytest.fixture(scope="module")
def axe() -> str:
    if not AXE.exists():
        pytest.fail(f"There is no {AXE}: `make test` fetches it, or `npm ci` in tests/browser.")
    return AXE.read_text("utf-8")


def send(page: Page, button: str = "", **fields: str) -> None:
    """Fill a form in and send it, in whichever language it is."""
    for name, value in fields.items():
        page.locator(f"[name={name}]").fill(value)
    page.locator(f"form button{button}").first.click()


def tour(page: Page, places: Places) -> Iterator[str]:
    """Open every page in every state; gives its template, when it is there."""
    gate, person = places.gate, places.somebody()
    account = f"{gate}/_sso/account"

    page.goto(f"{gate}/members/")
    yield "sign_in"
    fill_in(page, person, "a wrong one")
    yield "sign_in"
    fill_in(page, person)
    page.wait_for_url(f"{gate}/members/")
    page.goto(f"{gate}/staff/")
    yield "refusal"
    page.goto(f"{gate}/_sso/signed-out")
    yield "signed_out"
    page.goto(places.link("ann"))
    yield "refusal"
    page.goto(places.link("john"))
    yield "confirm"

    page.goto(account)
    yield "account"
    page.goto(f"{account}/password")
    yield "password"
    send(page, current="x", new="too short", again="another one")
    yield "password"
    page.goto(f"{account}/second-factor")
    yield "totp"
    secret = page.locator("p .code").inner_text().replace(" ", "")
    send(page, code="x", password=PASSWORD)
    yield "totp"
    send(page, code=code_of(secret), password=PASSWORD)
    yield "recovery_codes"
    page.goto(account)
    yield "account"
    page.goto(f"{account}/second-factor")
    yield "totp_off"
    send(page, password="a wrong one", code="x")
    yield "totp_off"

    page.goto(account)
    send(page, button=":not([name])")
    yield "signed_out"
    page.goto(f"{gate}/members/")
    fill_in(page, person)
    yield "second_factor"
    send(page, code="x")
    yield "second_factor"

    page.context.clear_cookies()
    sign_in(page, places, "ann", "/_sso/services")
    yield "services"
    page.locator("a", has_text="Boathouse panel").click()
    yield "service"
    page.goto(f"{gate}/_sso/admin/servers")
    yield "servers"

    yield from devices(page, places)
    yield from an_application(page, gate)


def an_application(page: Page, gate: str) -> Iterator[str]:
    """Make an application, sign in to it and out: its own pages stay white, so ours remain."""
    page.route(f"{CLIENT}/**", lambda route: route.fulfill(status=204))
    page.goto(f"{gate}{APPLICATIONS}")
    yield "applications"
    page.goto(f"{gate}{CREDENTIALS}")
    page.locator(f"[href='{CREDENTIALS}/new']").click()
    yield "credential"
    about = {"name": f"Library of {VILLAGE}", "description": "Boats, books and bookings."}
    about |= {"scope": "openid profile email groups offline_access"}
    send(page, **about, redirect_uris=f"{BACK}\nno address")
    yield "credential"
    send(page, redirect_uris=BACK, post_logout_redirect_uris=CLIENT)
    yield "credential_secret"
    client = page.locator("dd").first.inner_text()
    page.goto(f"{gate}{CREDENTIALS}")
    yield "credentials"
    page.locator("li", has_text=client).locator("a").click()
    yield "credential"
    page.locator("button[value='1d']").click()
    yield "credential_secret"

    yield from signing_in(page, gate, {"client_id": client, "scope": about["scope"]})

    page.goto(f"{gate}{CREDENTIALS}")
    page.locator("li", has_text=client).locator("a").click()
    page.locator("[href$='/delete']").click()
    yield "credential_delete"
    leaving = {"client_id": client, "post_logout_redirect_uri": CLIENT}
    page.goto(f"{gate}{END_SESSION}?{urlencode(leaving)}")
    yield "end_session"
    send(page)
    yield "continue"


def signing_in(page: Page, gate: str, asked: dict[str, str]) -> Iterator[str]:
    """Sign in to an application in each way in which its answer travels by a page."""
    asked |= {"response_type": "code", "redirect_uri": BACK}
    asked |= {"code_challenge": "c" * 43, "code_challenge_method": "S256"}
    authorize = f"{gate}{AUTHORIZE}?{urlencode(asked)}"
    page.goto(authorize)
    yield "consent"
    send(page, button="[value=allow]")
    yield "continue"
    page.goto(f"{authorize}&prompt=select_account")
    yield "consent"
    send(page, button="[value=deny]")
    yield "continue"
    page.goto(f"{authorize}&prompt=consent&response_mode=form_post")
    send(page, button="[value=allow]")
    yield "form_post"
    page.goto(f"{gate}{APPLICATIONS}")
    yield "applications"


def devices(page: Page, places: Places) -> Iterator[str]:
    """Connect a device, and refuse another one."""
    page.goto(f"{places.gate}{DEVICE}")
    yield "device"
    send(page, user_code="no code")
    yield "device"
    for answer in ("allow", "deny"):
        page.goto(places.device())
        yield "device"
        send(page)
        yield "device_confirm"
        send(page, button=f"[value={answer}]")
        yield "device_done"


@pytest.mark.parametrize(
    "settings",
    [pytest.param({}, id="light"), pytest.param(DARK_PHONE, id="dark, phone, German")],
)
def test_every_page_is_open_to_everybody(
    new_page: MakePage, places: Places, axe: str, settings: dict[str, Any]
) -> None:
    page, seen, found = new_page(**settings), set[str](), list[str]()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    for template in tour(page, places):
        seen.add(template)
        found += [f"{page.url}: {fault}" for fault in faults(page, axe)]

    assert found == []
    assert errors == []
    assert seen == {file.stem for file in TEMPLATES.glob("*.html")} - NO_PAGES


def test_the_judge_judges(page: Page, axe: str) -> None:
    page.set_content('<input><p style="color: #ccc; width: 9999px">Hardly to be read</p>')

    found = "\n".join(faults(page, axe))

    assert "label (" in found
    assert "color-contrast (" in found
    assert "wider than the screen" in found


def faults(page: Page, axe: str) -> Iterator[str]:
    """Give what is wrong with a page, by any rule of axe's, and whether it is too wide."""
    page.evaluate(axe)
    judged = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    for violation in judged["violations"]:
        where = [node["html"] for node in violation["nodes"]]
        yield f"{violation['id']} ({violation['help']}): {where}"
    width = page.evaluate("document.documentElement.scrollWidth")
    if page.viewport_size and width > page.viewport_size["width"]:
        yield f"{width} pixels wide: wider than the screen"
