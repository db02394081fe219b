"""Registration and the credentials' page of a running gate, by whoever should not get anything."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from ssogate.directory.administrators import add_administrator
from tests.attack.house import House, at_once, house_at
from tests.attack.office import SUE
from tests.attack.stage import HOST
from tests.servers import Answer, Gunicorn, ask, request

REGISTER, CREDENTIALS = "/oauth/register.php", "/_sso/admin/clients"
INITIAL = "an-initial-token-of-the-tests-0123456789"
JSON = "Content-Type: application/json"
SHOP = {"redirect_uris": ["https://shop.example/back"], "client_name": "The shop"}
FORM = {
    **dict.fromkeys(("description", "logo_uri", "groups", "post_logout_redirect_uris"), ""),
    "backchannel_logout_uri": "",
    "name": "Wiki",
    "scope": "openid email",
    "redirect_uris": "https://wiki.example/back",
    "pkce": "on",
}


@pytest.fixture(scope="module")
def desk(echo: Gunicorn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A gate at which clients may register."""
    folder = tmp_path_factory.mktemp("desk")
    with desk_at(folder, echo) as made:
        yield made


def desk_at(folder: Path, echo: Gunicorn) -> Any:
    token = folder / "initial-token"
    token.touch(0o600)
    token.write_text(INITIAL)
    provider = {"registration": {"initial_token": {"file": str(token)}}}
    return house_at(folder / "gate", echo.url("").rstrip("/"), provider=provider)


def send(
    desk: House,
    *lines: str,
    body: object = None,
    token: str = INITIAL,
    method: str = "POST",
    to: str = REGISTER,
) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode() if body else b""
    proof = [f"Authorization: Bearer {token}"] if token else []
    sent = request(to, *proof, *(lines or (JSON,)), host=HOST, method=method, body=raw)
    return ask(desk.running.port, sent, timeout=30)


def registered(desk: House) -> int:
    return sum(bool(it.registration_digest) for it in desk.store.clients.listed())


def test_a_client_comes_changes_and_goes(desk: House) -> None:
    first = send(desk, body=SHOP)
    assert first.status == 201, first
    assert first.header("Cache-Control") == "no-store"
    found = json.loads(first.body)
    own: dict[str, Any] = {
        "to": found["registration_client_uri"].partition(HOST)[2],
        "token": found["registration_access_token"],
    }

    read = send(desk, method="GET", **own)
    changed = send(
        desk,
        method="PUT",
        body=SHOP | {"client_id": found["client_id"], "client_name": "New"},
        **own,
    )
    gone = send(desk, method="DELETE", **own)

    assert json.loads(read.body)["client_name"] == "The shop"
    assert "client_secret" not in json.loads(read.body)
    assert json.loads(changed.body)["client_name"] == "New"
    assert (gone.status, gone.body) == (204, b"")
    assert send(desk, method="GET", **own).status == 401
    log = desk.running.log()
    for hidden in (INITIAL, found["client_secret"], found["registration_access_token"]):
        assert hidden not in log


@pytest.mark.parametrize(
    ("lines", "token", "to"),
    [
        pytest.param((), "", REGISTER, id="none"),
        pytest.param((), f"{INITIAL}x", REGISTER, id="another"),
        pytest.param((), "", f"{REGISTER}?access_token={INITIAL}", id="in the address"),
        pytest.param((f"Authorization: Basic {INITIAL}",), "", REGISTER, id="another scheme"),
        pytest.param(
            (f"Authorization: Bearer {INITIAL}",), "x", REGISTER, id="two, the first wrong"
        ),
        pytest.param(("Authorization: Bearer x",), INITIAL, REGISTER, id="two, the second wrong"),
        pytest.param((f"Authorization: {INITIAL}",), "", REGISTER, id="no scheme"),
    ],
)
def test_without_the_token_nobody_registers(
    desk: House, lines: tuple[str, ...], token: str, to: str
) -> None:
    before = registered(desk)

    answer = send(desk, JSON, *lines, body=SHOP, token=token, to=to)

    assert answer.status in (400, 401), answer
    assert registered(desk) == before


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"redirect_uris": ["https://a.example/"]}' + b" " * 2**20, id="long"),
        pytest.param(b"[" * 16_000, id="deep"),
        pytest.param(b'{"redirect_uris": ["https://a.example/"], "client_name": NaN}', id="NaN"),
        pytest.param(b'{"redirect_uris": ["https://a.example/\\ud800"]}', id="half a pair"),
        pytest.param(b'{"redirect_uris": ["https://a.example/\\u0000"]}', id="zero byte"),
        pytest.param(b'{"redirect_uris": [["https://a.example/"]]}', id="a list in a list"),
        pytest.param(b'{"redirect_uris": {"0": "https://a.example/"}}', id="an object"),
        pytest.param(
            b'{"redirect_uris": ["https://a.example/"], "client_name": "a\\u0000b"}',
            id="a zero name",
        ),
        pytest.param(
            b'{"redirect_uris": ["https://a.example/"], "scope": "openid\\u0000"}',
            id="a zero scope",
        ),
    ],
)
def test_a_strange_body_is_refused_and_stores_nothing(desk: House, body: bytes) -> None:
    before = registered(desk)

    answer = send(desk, body=body)

    assert answer.status in (400, 413), answer
    assert registered(desk) == before


def test_chunks_hide_no_length(desk: House) -> None:
    raw = json.dumps(SHOP).encode() + b" " * 20_000
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(raw), raw)

    answer = send(desk, JSON, "Transfer-Encoding: chunked", body=chunked)

    assert answer.status == 400, answer


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_session_is_no_token(desk: House, method: str) -> None:
    browser = desk.browser()
    browser.sign_in(desk.person())

    assert browser.ask(f"{REGISTER}?client_id=X", method=method).status == 401


def test_so_many_register_in_a_minute_by_whatever_worker(echo: Gunicorn, tmp_path: Path) -> None:
    with desk_at(tmp_path, echo) as desk:
        begun = time.time()
        statuses = Counter(
            it.status for it in at_once(lambda n: send(desk, body=SHOP), [*range(80)])
        )
        if time.time() - begun > 55:
            pytest.skip("the machine is too slow for this to be one minute")

        assert statuses == {201: 60, 429: 20}
        assert registered(desk) == 60


# --- The page of administrators ------------------------------------------------------------------


def administrator(desk: House) -> Any:
    sue = desk.person()
    add_administrator(desk.store, sue.identity.subject, [], by=SUE, now=int(time.time()))
    browser = desk.browser()
    assert browser.sign_in(sue).status == 303
    return browser


def test_an_administrator_makes_an_application_and_forgets_it(desk: House) -> None:
    browser = administrator(desk)

    made = browser.post(f"{CREDENTIALS}/new", **FORM)
    (identifier,) = re.findall(r"WIKI\.[0-9a-f]{32}", made.text)
    client = desk.store.clients.named(identifier)

    assert made.header("Cache-Control") == "no-store"
    assert client
    (secret,) = re.findall(r'class="code">([A-Za-z0-9+/=]{88})<', unescape(made.text))
    for path in (CREDENTIALS, f"{CREDENTIALS}/{client.number}"):
        shown = browser.ask(path)
        assert shown.status == 200
        assert secret not in unescape(shown.text)
    assert browser.post(f"{CREDENTIALS}/{client.number}/delete").status == 303
    assert desk.store.clients.named(identifier) is None


@pytest.mark.parametrize(
    ("who", "statuses"),
    [
        pytest.param("nobody", (303, 401), id="nobody"),
        pytest.param("somebody", (404, 404), id="somebody"),
    ],
)
def test_nobody_else_finds_the_page(desk: House, who: str, statuses: tuple[int, int]) -> None:
    before = [*desk.store.clients.listed()]
    browser = desk.browser()
    if who == "somebody":
        browser.sign_in(desk.person())

    found = (
        browser.ask(f"{CREDENTIALS}/new").status,
        browser.post(f"{CREDENTIALS}/new", **FORM).status,
    )

    assert found == statuses
    assert [*desk.store.clients.listed()] == before


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(("Origin: https://evil.example",), id="another site"),
        pytest.param(("Origin: null",), id="an opaque origin"),
        pytest.param(
            ("Origin: https://app.example", "Sec-Fetch-Site: cross-site"), id="cross-site"
        ),
        pytest.param(("Origin: https://app.example", "Sec-Fetch-Site: same-site"), id="same-site"),
        pytest.param(("X-Nothing: x",), id="nothing"),
    ],
)
def test_no_other_site_makes_an_application(desk: House, lines: tuple[str, ...]) -> None:
    before = [*desk.store.clients.listed()]

    assert administrator(desk).post(f"{CREDENTIALS}/new", *lines, **FORM).status == 403
    assert [*desk.store.clients.listed()] == before


def test_a_name_is_a_name_and_no_markup(desk: House) -> None:
    browser = administrator(desk)
    evil = '"><script>alert(1)</script>'

    made = browser.post(f"{CREDENTIALS}/new", **FORM | {"name": evil})

    assert made.status == 200
    for text in (made.text, browser.ask(CREDENTIALS).text):
        assert "<script" not in text
        assert "&lt;script&gt;" in text


def test_the_page_cannot_be_framed_or_kept(desk: House) -> None:
    answer = administrator(desk).ask(f"{CREDENTIALS}/new")

    assert "frame-ancestors 'none'" in str(answer.header("Content-Security-Policy"))
    assert answer.header("X-Frame-Options") == "DENY"
    assert answer.header("Cache-Control") == "no-store"
