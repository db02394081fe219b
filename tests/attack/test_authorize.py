"""The authorization endpoint over real sockets, with several processes behind them: nobody is sent
where no client has said, nobody agrees to what he did not see, and no header is split."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest

from ssogate.directory.administrators import add_administrator
from ssogate.directory.consents import consented
from ssogate.directory.grants import code_key
from ssogate.model import Client, GrantType, User
from ssogate.provider.addresses import AUTHORIZE, CONSENT, DEVICE, END_SESSION
from ssogate.provider.clients.credentials_page import CREDENTIALS
from ssogate.provider.logout.end_session import CONFIRM
from tests.attack.house import OURS, Browser, House, at_once, house_at
from tests.attack.office import SUE
from tests.attack.stage import HOST, PAGE
from tests.login.forms import SITE
from tests.provider.making_openid import BACK, PLAIN, asked
from tests.servers import Answer, Gunicorn, ask, request

SCRIPT = '"><script>alert(1)</script>'
OTHER = "other.example"
"""A host of the same gate."""
OTHER_SITE = ("Origin: https://evil.example", "Sec-Fetch-Site: cross-site")


@pytest.fixture(scope="module")
def provider(echo: Gunicorn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("provider") / "gate"
    with house_at(folder, echo.url("").rstrip("/"), provider={}, hosts=[OTHER]) as house:
        yield house


@pytest.fixture
def wiki(provider: House) -> Client:
    """A client that nobody has agreed to."""
    scopes = frozenset({"openid", "profile", "email"})
    blank = Client(
        0, "", "0" * 64, GrantType.AUTHORIZATION_CODE, "", None, scopes, "", "", (), 0, 0
    )
    named = replace(blank, identifier=secrets.token_hex(8), name="Wiki", redirect_uris=(BACK,))
    return provider.store.clients.add(named)


@pytest.fixture
def joe(provider: House) -> Browser:
    """Somebody who is signed in."""
    return signed_in(provider)[1]


def signed_in(house: House) -> tuple[User, Browser]:
    person, browser = house.person(), house.browser()
    assert browser.sign_in(person).status == 303
    return person, browser


def address(client: Client, more: Any = (), **changed: Any) -> str:
    return f"{AUTHORIZE}?{urlencode(asked(more, client_id=client.identifier, **changed))}"


def fields(answer: Answer, wish: str = "allow") -> dict[str, str]:
    """What a browser sends from the page that asks."""
    assert answer.status == 200, answer
    pairs = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', answer.text)
    assert dict(pairs).keys() >= {"ssogate_seal", "client_id"}
    return {**{name: unescape(value) for name, value in pairs}, "ssogate_answer": wish}


def told(answer: Answer) -> dict[str, str]:
    """What the client learns by a redirect, or by the page that goes on by itself."""
    location = answer.header("Location") or (answer.header("Refresh") or "").removeprefix("0; url=")
    base, _, query = location.partition("?")
    assert base == BACK, answer
    return dict(parse_qsl(query, strict_parsing=True))


def went_nowhere(answer: Answer) -> bool:
    """Whether no client, and nobody else, was told anything."""
    assert answer.header("Location") is None
    assert answer.header("Refresh") is None
    assert answer.header("Set-Cookie") is None
    return "wiki.example/back?" not in answer.text and "evil.example" not in answer.text


def grants(house: House, client: Client) -> int:
    return len(house.store.grants.listed(client=client.identifier))


# --- All of it --------------------------------------------------------------------------------


def test_from_the_client_by_the_sign_in_and_the_page_back_to_the_client(
    provider: House, wiki: Client
) -> None:
    person, browser = provider.person(), provider.browser()

    sent = browser.ask(address(wiki), *PAGE)
    assert sent.status == 303
    back = dict(parse_qsl(urlsplit(sent.header("Location") or "").query))["return_to"]
    came = browser.sign_in(person, return_to=back)
    assert (came.status, came.header("Location")) == (303, back)
    page = browser.ask(back, *PAGE)
    form = fields(page)
    answer = browser.submit(CONSENT, form)

    assert answer.status == 200, "Chrome follows no redirect from a form of ours to a client"
    found = told(answer)
    assert (found["state"], found["iss"]) == (PLAIN["state"], SITE)
    held = provider.store.codes.find(code_key(provider.store, found["code"]))
    assert held
    assert held.grant
    assert held.grant.subject == person.identity.subject
    again = browser.ask(address(wiki), *PAGE)
    assert again.status == 303
    assert told(again)["code"] != found["code"]
    for each in (sent, page, answer, again):
        assert each.header("Cache-Control") == "no-store"
        assert each.header("X-Frame-Options") == "DENY"


def test_the_page_can_be_framed_by_nobody(joe: Browser, wiki: Client) -> None:
    page = joe.ask(address(wiki), *PAGE)

    assert page.header("X-Frame-Options") == "DENY"
    assert "frame-ancestors 'none'" in (page.header("Content-Security-Policy") or "")
    assert page.all("Content-Security-Policy") == [page.header("Content-Security-Policy")]


def test_the_issuer_is_the_configurations_whatever_the_host(joe: Browser, wiki: Client) -> None:
    answer = joe.ask(
        address(wiki, prompt="none"), *PAGE, "X-Forwarded-Host: evil.example", "Forwarded: host=e"
    )

    assert told(answer)["iss"] == SITE


# --- Where nobody is sent ---------------------------------------------------------------------

NEARLY = (
    "https://wiki.example/back/",
    "https://wiki.example/BACK",
    "https://Wiki.example/back",
    "https://wiki.example:443/back",
    "https://wiki.example./back",
    "https://wiki.example/back/..",
    "https://wiki.example/%62ack",
    "https://wiki.example/back%2f",
    "https://wiki.example/a/%2e%2e/back",
    "https://wiki.example/back?code=x",
    "https://wiki.example/back#",
    "https://wiki.example/back;x",
    "https://evil.example@wiki.example/back",
    "https://wiki.example@evil.example/back",
    "https://wiki.example\\@evil.example/back",
    "https://evil.example/https://wiki.example/back",
    "https://wiki.example/back\r\nLocation: https://evil.example",
    "https://wiki.example/back\0",
    " https://wiki.example/back",
    "https://wiki.example/back ",
    "https://wiki.example\N{FULLWIDTH SOLIDUS}back",
    "https://w\N{CYRILLIC SMALL LETTER I}ki.example/back",
    "//wiki.example/back",
    "/back",
    "javascript:alert(1)//https://wiki.example/back",
    "data:text/html,https://wiki.example/back",
)


@pytest.mark.parametrize("mode", ["query", "fragment", "form_post"])
def test_nobody_is_sent_to_what_nearly_is_the_clients_address(
    provider: House, joe: Browser, wiki: Client, mode: str
) -> None:
    for uri in NEARLY:
        answer = joe.ask(address(wiki, redirect_uri=uri, response_mode=mode), *PAGE)

        assert answer.status == 400, uri
        assert went_nowhere(answer), uri
    assert grants(provider, wiki) == 0


RAW = (
    "client_id={id}&redirect_uri={uri}&redirect_uri={evil}",
    "client_id={id}&redirect_uri={evil}&redirect_uri={uri}",
    "client_id={id}&redirect_uri[]={uri}",
    "client_id={id};redirect_uri={uri}",
    "client_id={id}&redirect_uri={uri}%00",
    "client_id={id}&client_id=x&redirect_uri={uri}",
    "client_id={id}%00&redirect_uri={uri}",
    "client_id=%ff&redirect_uri={uri}",
    "client_id={id}&redirect_uri={uri}%ff",
    "client_id={id}&redirect_uri=" + "a" * 5000,
    "client_id=" + "a" * 5000 + "&redirect_uri={uri}",
    "client_id={id}&redirect_uri={uri}" + "&x=" * 200,
    "redirect_uri={evil}",
    "client_id=' OR 1=1 --&redirect_uri={evil}".replace(" ", "%20"),
    "",
)


@pytest.mark.parametrize("query", RAW)
def test_a_query_that_has_two_readings_has_none(joe: Browser, wiki: Client, query: str) -> None:
    values = {"id": wiki.identifier, "uri": quote(BACK, safe="")}
    values["evil"] = quote("https://evil.example/", safe="")

    answer = joe.ask(f"{AUTHORIZE}?{query.format(**values)}", *PAGE)

    assert answer.status == 400
    assert went_nowhere(answer)


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_no_other_method_gets_a_code(
    provider: House, joe: Browser, wiki: Client, method: str
) -> None:
    provider.store.clients.update(replace(wiki, trusted=True))

    answer = joe.ask(address(wiki), *PAGE, method=method)

    assert answer.status == 400
    assert went_nowhere(answer)
    assert grants(provider, wiki) == 0


@pytest.mark.parametrize(
    "path", [AUTHORIZE, CONSENT, END_SESSION, CONFIRM, DEVICE, CREDENTIALS, f"{CREDENTIALS}/new"]
)
def test_on_other_hosts_these_addresses_are_the_apps(provider: House, path: str) -> None:
    """What stands there may be written by whoever writes that host's pages."""
    person, joe, now = provider.person(), provider.browser(), int(time.time())
    add_administrator(provider.store, person.identity.subject, [], by=SUE, now=now)
    assert joe.sign_in(person).status == 303
    cookie = "; ".join(f"{name}={value}" for name, value in joe.cookies.items())
    lines = (f"X-Forwarded-For: {joe.client}", f"Cookie: {cookie}", *PAGE)
    port = provider.running.port

    here = ask(port, request(path, *lines, host=HOST), timeout=30)
    there = ask(port, request(path, *lines, host=OTHER), timeout=30)

    assert here.status != 404
    assert f'"uri": "{path}"' not in here.text, "not the app"
    if path.startswith("/_sso/"):
        assert there.status == 404
    else:
        assert f'"uri": "{path}"' in there.text


# --- What travels along -----------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["query", "fragment", "form_post"])
@pytest.mark.parametrize(
    "state",
    [
        pytest.param("x\r\nSet-Cookie: a=b\r\n\r\n<html>", id="line breaks"),
        pytest.param(SCRIPT, id="markup"),
        pytest.param("&code=stolen#&iss=https://evil.example", id="more parameters"),
        pytest.param("\N{SNOWMAN}\0\x7f\u2028", id="odd letters"),
    ],
)
def test_a_state_splits_nothing(
    provider: House, joe: Browser, wiki: Client, state: str, mode: str
) -> None:
    provider.store.clients.update(replace(wiki, trusted=True))

    answer = joe.ask(address(wiki, state=state, response_mode=mode), *PAGE)

    assert answer.header("Set-Cookie") is None
    if mode == "form_post":
        assert "alert(1)</script>" not in answer.text
        assert answer.text.count('name="code"') == answer.text.count('name="state"') == 1
        return
    location = answer.header("Location") or ""
    pairs = parse_qsl(location[len(BACK) + 1 :], strict_parsing=True)
    assert sorted(name for name, _ in pairs) == ["code", "iss", "state"]
    assert dict(pairs)["state"] == state
    assert dict(pairs)["iss"] == SITE


# --- Who agrees -------------------------------------------------------------------------------


def test_another_site_can_agree_to_nothing(provider: House, wiki: Client) -> None:
    """Not with a form that an attacker was shown, and not with the victim's own."""
    (_, attacker), (person, victim) = signed_in(provider), signed_in(provider)
    forms = [fields(each.ask(address(wiki), *PAGE)) for each in (attacker, victim)]

    for form in forms:
        for lines in (OTHER_SITE, ("Origin: null",), ("X-Nobody: says",)):
            assert victim.submit(CONSENT, form, *lines).status == 403
    replayed = victim.submit(CONSENT, forms[0], *OURS)

    assert "ssogate_seal" in replayed.text, "a page of another session is shown anew"
    assert replayed.header("Refresh") is None
    assert grants(provider, wiki) == 0
    assert not consented(provider.store, person.identity.subject, wiki.identifier)


def test_a_page_of_before_the_sign_out_agrees_to_nothing(provider: House, wiki: Client) -> None:
    person, browser = signed_in(provider)
    form = fields(browser.ask(address(wiki), *PAGE))
    assert browser.post("/_sso/sign-out").status in (200, 303)

    assert browser.submit(CONSENT, form).status == 401

    assert browser.sign_in(person).status == 303
    assert "ssogate_seal" in browser.submit(CONSENT, form).text
    assert grants(provider, wiki) == 0


def test_a_page_agrees_to_no_more_than_it_says(provider: House, wiki: Client) -> None:
    person, browser = signed_in(provider)
    form = fields(browser.ask(address(wiki, scope="openid"), *PAGE))

    for changed in ({"scope": "openid email profile"}, {"claims": '{"userinfo":{"email":null}}'}):
        assert "ssogate_seal" in browser.submit(CONSENT, {**form, **changed}).text

    assert grants(provider, wiki) == 0
    assert not consented(provider.store, person.identity.subject, wiki.identifier)


def test_many_who_agree_at_once_get_a_code_each(
    provider: House, joe: Browser, wiki: Client
) -> None:
    form = fields(joe.ask(address(wiki), *PAGE))

    answers = at_once(lambda _: joe.submit(CONSENT, form, keep=False), list(range(8)))

    codes = {told(answer)["code"] for answer in answers}
    assert len(codes) == 8
    assert all(provider.store.codes.find(code_key(provider.store, code)) for code in codes)


# --- Who signs in -----------------------------------------------------------------------------


def test_a_made_up_mark_opens_no_door(joe: Browser, wiki: Client) -> None:
    now = int(time.time())
    marks = (f"{now - 10}.{'A' * 43}", f"{now - 10}", "0.", f"-1.{'A' * 43}", f"{'9' * 4000}.A", "")

    for mark in marks:
        answer = joe.ask(address(wiki, [("ssogate_since", mark)], prompt="login"), *PAGE)

        assert answer.status == 303, mark
        assert urlsplit(answer.header("Location") or "").path == "/_sso/sign-in", mark


def test_a_mark_of_one_process_is_believed_by_all(provider: House, wiki: Client) -> None:
    person, browser = signed_in(provider)
    sent = browser.ask(address(wiki, prompt="login"), *PAGE)
    back = dict(parse_qsl(urlsplit(sent.header("Location") or "").query))["return_to"]
    browser.sign_in(person, return_to=back)

    answers = at_once(lambda _: browser.ask(back, *PAGE, keep=False), list(range(8)))

    assert {answer.status for answer in answers} == {200}
    assert all("ssogate_seal" in answer.text for answer in answers)


def test_a_sign_in_leads_back_to_the_endpoint_but_to_no_other_of_ours(
    provider: House, wiki: Client
) -> None:
    person = provider.person()

    for wanted, led in ((address(wiki), address(wiki)), (CONSENT, "/")):
        answer = provider.browser().sign_in(person, return_to=wanted)

        assert (answer.status, answer.header("Location")) == (303, led)


def test_the_log_holds_no_code_and_no_state(provider: House, joe: Browser, wiki: Client) -> None:
    state = secrets.token_hex(16)
    code = told(joe.submit(CONSENT, fields(joe.ask(address(wiki, state=state), *PAGE))))["code"]

    log = provider.running.log()

    lines = [json.loads(line) for line in log.splitlines() if '"authorized"' in line]
    assert wiki.identifier in [line["oauth_client"] for line in lines]
    assert code not in log
    assert state not in log
