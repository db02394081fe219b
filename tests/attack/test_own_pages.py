"""The gate's own pages under attack: forms of other sites, frames, places to return to, cookies,
and what of a whole story is left where it must not be.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from sqlalchemy import select

from ssogate.doors import HEALTH, doors
from ssogate.login.chooser import SIGN_IN, SIGNED_OUT
from ssogate.middleware.auth_request import AUTH
from ssogate.storage import SQLiteStore, schema
from tests.attack.house import (
    ACCOUNT,
    DEVICE,
    FACTOR,
    FORM,
    PASSWORD,
    RECOVERY,
    SESSION,
    STEP,
    Browser,
    House,
    at_once,
    children,
    code,
)
from tests.attack.stage import PAGE, Stage
from tests.attack.test_redirect_targets import OFF_SITE
from tests.gate import SEALING_KEY, SECRET
from tests.login.forms import RIGHT, SITE, WRONG
from tests.servers import Answer, held
from tests.upstream.scripted import ok

pytestmark = pytest.mark.server

FORMS: dict[str, dict[str, str]] = {
    PASSWORD: {"username": "", "password": RIGHT, "return_to": "/"},
    FACTOR: {"code": RECOVERY[0]},
    "/_sso/sign-out": {},
    f"{ACCOUNT}/sessions": {"end": "others"},
    f"{ACCOUNT}/password": {"current": RIGHT, "new": "x" * 12, "again": "x" * 12},
    f"{ACCOUNT}/second-factor": {"do": "off", "password": RIGHT},
}
FOREIGN = [
    pytest.param([], id="neither header"),
    pytest.param(["Origin: https://evil.example"], id="another origin"),
    pytest.param(["Origin: null"], id="no origin"),
    pytest.param(["Origin: http://app.example"], id="another scheme"),
    pytest.param(["Origin: https://app.example:8443"], id="another port"),
    pytest.param(["Origin: https://app.example.evil.example"], id="a longer name"),
    pytest.param(["Origin: https://x.app.example"], id="a sub-domain"),
    pytest.param(["Origin: https://app.example@evil.example"], id="a user part"),
    pytest.param([f"Origin: {SITE}", "Origin: https://evil.example"], id="two origins"),
    pytest.param(["Sec-Fetch-Site: cross-site"], id="cross-site"),
    pytest.param(["Sec-Fetch-Site: same-site"], id="same-site"),
    pytest.param(["Sec-Fetch-Site: none"], id="typed"),
    pytest.param([f"Origin: {SITE}", "Sec-Fetch-Site: cross-site"], id="two words for it"),
    pytest.param(["Origin: https://evil.example", "Sec-Fetch-Site: same-origin"], id="the other"),
    pytest.param([f"Referer: {SITE}/_sso/sign-in"], id="a referrer alone"),
]


def state(house: House) -> dict[str, list[Any]]:
    """All that a form could change."""
    assert isinstance(house.store, SQLiteStore)
    tables = [table for table in schema.metadata.sorted_tables if table.name != "counters"]
    found = {table.name: list(house.store.database.rows(select(table))) for table in tables}
    return {name: sorted(map(repr, rows)) for name, rows in found.items()}


@pytest.fixture(scope="module")
def joe(house: House) -> Browser:
    """Signed in with a second factor, and half signed in once more."""
    who = house.owing(house.person())
    browser, again = house.browser(), house.browser()
    browser.sign_in(who)
    browser.post(FACTOR, code=RECOVERY[9])
    again.sign_in(who)
    browser.cookies[STEP] = again.cookies[STEP]
    FORMS[PASSWORD]["username"] = who.identity.username
    return browser


@pytest.mark.parametrize("lines", FOREIGN)
def test_a_form_of_another_site_does_nothing(house: House, joe: Browser, lines: list[str]) -> None:
    before = state(house)
    for path, form in FORMS.items():
        sent: Any = {"method": "POST", "body": urlencode(form).encode(), "keep": False}
        for answer in (joe.ask(path, FORM, *PAGE, *lines, **sent), joe.ask(path, FORM, **sent)):
            found = (path, answer.status, answer.header("X-SSOGate-Error"))
            assert found == (path, 403, "cross_site")
            assert answer.header("Set-Cookie") is None

    assert state(house) == before


def own_addresses(house: House) -> list[str]:
    return sorted(doors(house.parts).endpoints)


def test_every_address_of_ours_that_takes_a_form_is_among_them(house: House, joe: Browser) -> None:
    """A new one that forgets to ask where a form comes from is found here."""
    before = state(house)
    harmless = {AUTH, HEALTH, SIGN_IN, SIGNED_OUT, "/sso.php"}
    for path in own_addresses(house):
        answer = joe.submit(path, {"end": "others"}, "Sec-Fetch-Site: cross-site", keep=False)
        if path not in harmless and not path.startswith("/_sso/theme"):
            assert answer.status == 403, path
        assert path in FORMS or answer.status != 303, path

    assert state(house) == before
    assert joe.is_in


def test_a_form_of_ours_is_taken(house: House) -> None:
    """What the rows above refuse is refused for its origin alone."""
    browser = house.browser()
    browser.sign_in(house.person())
    only_origin = browser.post("/_sso/sign-out", f"Origin: {SITE}")

    assert (only_origin.status, only_origin.header("Location")) == (303, SIGNED_OUT)
    assert not browser.is_in


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_no_other_method_does_what_a_form_does(house: House, joe: Browser, method: str) -> None:
    """An image of another site sends GET, and browsers send the cookie with a link."""
    before = state(house)
    before.pop("tickets")
    for path, form in FORMS.items():
        query = urlencode(form)
        joe.ask(f"{path}?{query}", *PAGE, method=method, keep=False)

    after = state(house)
    after.pop("tickets")  # a page that offers a key keeps it in one
    assert after == before


# --- Frames and caches ----------------------------------------------------------------------------


def test_every_page_is_framed_nowhere_and_kept_by_nobody(house: House, joe: Browser) -> None:
    strangers = house.browser()
    own = [path for path in own_addresses(house) if not path.startswith("/_sso/theme")]
    pages: Iterator[tuple[str, Answer]] = (
        (f"{method} {path} {who}", browser.ask(path, *PAGE, *lines, method=method, keep=False))
        for path in own
        for who, browser in (("joe", joe), ("nobody", strangers))
        for method, lines in (("GET", []), ("POST", ["Sec-Fetch-Site: cross-site"]))
    )
    for name, answer in pages:
        assert answer.status < 500, name
        assert answer.header("Cache-Control") == "no-store", name
        assert answer.header("X-Frame-Options") == "DENY", name
        assert answer.header("X-Content-Type-Options") == "nosniff", name
        assert answer.header("Referrer-Policy") in ("no-referrer", "same-origin"), name
        if "text/html" in (answer.header("Content-Type") or ""):
            policy = answer.header("Content-Security-Policy") or ""
            assert "default-src 'none'" in policy, name
            assert "frame-ancestors 'none'" in policy, name
            assert "form-action 'self'" in policy, name
            assert "base-uri 'none'" in policy, name
            assert "unsafe" not in policy, name
            assert "<script" not in answer.text, name


# --- F1: where a sign-in leads --------------------------------------------------------------------

WANTED = [str(row.values[0]) for row in OFF_SITE]


def test_a_password_leads_to_no_other_site(house: House) -> None:
    who = house.person()

    def led(wanted: str) -> tuple[int, str | None, int]:
        answer = house.browser().sign_in(who, return_to=wanted)
        return answer.status, answer.header("Location"), str(answer.headers).count("a=b")

    some = WANTED[::2]  # all of them: the next tests, without a hash for each
    found = dict(zip(some, at_once(led, some), strict=True))
    assert found == dict.fromkeys(some, (303, "/", 0))


@pytest.mark.parametrize("wanted", ["//evil.example", "https://evil.example", "/x\r\nA: b"])
def test_a_second_factor_leads_to_no_other_site(house: House, wanted: str) -> None:
    browser = house.browser()
    browser.sign_in(house.owing(house.person()), return_to=wanted)

    assert browser.post(FACTOR, code=RECOVERY[0]).header("Location") == "/"


def test_the_page_does_not_carry_such_a_place_on(house: House) -> None:
    for wanted in WANTED:
        shown = house.browser().ask(f"{SIGN_IN}?return_to={quote(wanted.encode())}", *PAGE)

        assert 'name="return_to" value="/"' in shown.text, wanted


@pytest.mark.parametrize(
    ("wanted", "led"),
    [
        pytest.param("/_sso/sign-out", "/", id="out again"),
        pytest.param("/sso.php?mode=logout", "/", id="out by the sender's address"),
        pytest.param(PASSWORD, "/", id="the form"),
        pytest.param(FACTOR, "/", id="the second factor"),
        pytest.param(ACCOUNT, ACCOUNT, id="my account"),
    ],
)
def test_a_sign_in_leads_to_pages_and_no_further(house: House, wanted: str, led: str) -> None:
    assert house.browser().sign_in(house.person(), return_to=wanted).header("Location") == led


# --- Cookies --------------------------------------------------------------------------------------


def test_cookies_bear_what_keeps_them_here(house: House) -> None:
    browser = house.browser()
    step = browser.sign_in(house.owing(house.person())).all("Set-Cookie")
    whole = browser.post(FACTOR, code=RECOVERY[0]).all("Set-Cookie")

    usual = "; Path=/; HttpOnly; SameSite=Lax; Secure"
    shapes = [re.sub("=[A-Za-z0-9_-]{43};", "=…;", line) for line in step + whole]
    assert shapes == [
        f"{STEP}=…{usual}",
        f"{SESSION}=…{usual}",
        f"{STEP}={usual}; Max-Age=0",
        f"{DEVICE}=…{usual}; Max-Age={400 * 86400}",
    ]


@pytest.mark.parametrize("name", [STEP, DEVICE, "ssogate-step", "ssogate-device"])
@pytest.mark.parametrize(
    "line",
    ["{}={}", "a=1; {}={}", "={}={}", "a=1,{}={}", " {} ={}"],
)
def test_no_upstream_sees_the_step_or_the_device(stage: Stage, name: str, line: str) -> None:
    stage.ask("/pub/x", f"Cookie: {line.format(name, 'T' * 43)}; kept=1", host="raw.example")

    (found,) = stage.recorder.seen()
    assert "T" * 43 not in str(found.all("Cookie"))
    assert "kept=1" in str(found.all("Cookie"))


@pytest.mark.parametrize("name", [STEP, DEVICE, STEP.upper(), f" {DEVICE}"])
def test_no_upstream_sets_the_step_or_the_device(stage: Stage, name: str) -> None:
    lines = (f"Set-Cookie: {name}={'T' * 43}; Path=/; Secure", "Set-Cookie: theirs=1")
    stage.hostile.answer = ok(b"x", *lines)
    answer = stage.ask("/pub/x", host="hostile.example")

    assert answer.all("Set-Cookie") == ["theirs=1"]


# --- H3: what a whole story leaves ----------------------------------------------------------------


def test_a_whole_story_leaves_no_secret_anywhere(house: House) -> None:
    who, mine = house.person(), "hunter2-wrong-7c1"
    new = "a new sentence 7c1"
    secrets = {RIGHT, mine, new, SECRET, SEALING_KEY, "typed-as-name-7c1"}
    pages: list[Answer] = []
    browser, other = house.browser(), house.browser()

    def seen(answer: Answer) -> Answer:
        pages.append(answer)
        secrets.update(browser.cookies.values(), other.cookies.values())
        return answer

    seen(browser.sign_in("typed-as-name-7c1", mine))
    seen(browser.sign_in(who, mine))
    seen(browser.post(PASSWORD, username=who.identity.username, password=mine * 100, return_to="/"))
    seen(browser.ask(f"{PASSWORD}?username=x&password={mine}", *PAGE))
    seen(browser.ask(f"/_sso/sign-in?return_to=/&password={mine}", *PAGE))
    seen(browser.sign_in(who))
    setup = seen(browser.ask(f"{ACCOUNT}/second-factor", *PAGE))
    shown = re.search(r"((?:[A-Z2-7]{4} ){7}[A-Z2-7]{4})", setup.text)
    ticket = re.search(r'name="ticket" value="([^"]{43})"', setup.text)
    assert shown
    assert ticket
    key = shown[1].replace(" ", "")
    secrets |= {key, shown[1], ticket[1]}
    seen(browser.post(f"{ACCOUNT}/second-factor", ticket=ticket[1], code=code(key), password=mine))
    codes = seen(
        browser.post(f"{ACCOUNT}/second-factor", ticket=ticket[1], code=code(key), password=RIGHT)
    )
    recovery = re.findall(r"[0-9a-hjkmnp-tv-z]{4}(?:-[0-9a-hjkmnp-tv-z]{4}){3}", codes.text)
    assert len(set(recovery)) == 10
    secrets |= {*recovery, *(text.replace("-", "") for text in recovery)}
    typed = code(key, later=1)
    form = {"current": mine, "new": new, "again": new}
    seen(browser.submit(f"{ACCOUNT}/password", form))
    seen(browser.submit(f"{ACCOUNT}/password", {**form, "current": RIGHT}))
    seen(other.sign_in(who, new))
    seen(other.post(FACTOR, code="999999"))
    seen(other.post(FACTOR, code=recovery[0]))
    seen(other.post(f"{ACCOUNT}/second-factor", do="renew", password=mine, code="000000"))
    seen(other.ask(ACCOUNT, *PAGE))
    seen(other.post("/_sso/sign-out"))
    subject = who.identity.subject
    sealed = house.store.secrets.second_factor(subject)
    stored = house.store.secrets.password(subject)
    assert sealed
    assert stored.startswith("$argon2id$")
    secrets |= {sealed, stored, stored.rpartition("$")[2]}
    time.sleep(0.2)

    log = house.running.log()
    told = " ".join(f"{line.actor} {line.text}" for line in house.store.activity.listed())
    processes = [house.running.pid, *children(house.running.pid)]
    titles = b" ".join(Path(f"/proc/{pid}/cmdline").read_bytes() for pid in processes)
    addresses = " ".join(f"{answer.header('Location')}" for answer in pages)
    assert "user.password-set" in house.cli("activity", "list"), "there is a story"
    for secret in secrets:
        assert secret not in log, [line for line in log.splitlines() if secret in line]
        assert secret not in told
        assert secret not in addresses
        assert secret.encode() not in titles
    assert typed not in told
    for page in pages:
        if page not in (setup, codes, pages[pages.index(codes) - 1]):
            hidden = {s for s in secrets if s in page.text} - {"typed-as-name-7c1"}
            assert hidden == set(), page.text
    assert "Traceback" not in log


def test_the_files_hold_no_secret_that_opens_anything(house: House) -> None:
    browser = house.browser()
    browser.sign_in(house.owing(house.person()))
    half = browser.cookies[STEP]
    browser.post(FACTOR, code=RECOVERY[0])
    tokens = [half, *browser.cookies.values(), RIGHT, WRONG, RECOVERY[0], SEALING_KEY]

    folder = house.running.site.folder / "var"
    stored = held(folder)
    assert [token for token in tokens if token.encode() in stored] == []
    for file in folder.iterdir():
        assert file.stat().st_mode & 0o077 == 0
