"""Relying parties that nobody here wrote sign people in at the gate, and out, at both ends.

They are those of examples/relying-parties: Apache's mod_auth_openidc, openid-client, oauth4webapi,
Authlib and requests-oauthlib.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import jwt
import pytest

from ssogate.directory.signing_keys import REREAD
from ssogate.provider.addresses import AUTHORIZE
from tests.real.relying_parties import (
    APPLICATIONS,
    EMAIL,
    NAME,
    PASSWORD,
    Application,
    Device,
    Native,
    Places,
    Provider,
    missing,
    own_folder,
    provider,
)
from tests.real.visitor import Visitor

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Provider, str]]:
    with provider(tmp_path_factory.mktemp("provider") / "gate") as serving:
        yield serving


@pytest.fixture(scope="module", params=APPLICATIONS)
def app(
    request: pytest.FixtureRequest,
    gate: tuple[Provider, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Application]:
    if lacking := missing(request.param):
        pytest.skip(lacking)
    folder = own_folder(tmp_path_factory.mktemp("app"), "own")
    with APPLICATIONS[request.param](Places(*gate, folder)) as running:
        yield running


@pytest.fixture
def visitor() -> Visitor:
    return Visitor()


def signed_in(gate: Provider, app: Application, visitor: Visitor) -> None:
    page = gate.through(visitor, visitor.get(app.url + app.sign_in))
    assert app.greets(page), (page.url, page.text, app.log())
    assert NAME in page.text


def test_greets_who_signed_in_at_the_gate_by_name(
    gate: tuple[Provider, str], app: Application, visitor: Visitor
) -> None:
    assert not app.greets(visitor.get(app.url + app.home))

    signed_in(gate[0], app, visitor)

    assert app.greets(visitor.get(app.url + app.home))


def test_no_address_on_the_way_holds_a_token(
    gate: tuple[Provider, str], app: Application, visitor: Visitor
) -> None:
    signed_in(gate[0], app, visitor)

    way = "\n".join(visitor.passed)
    assert "code=" in way
    assert "token=" not in way
    assert "eyJ" not in way


def test_asks_nothing_of_somebody_who_is_signed_in_and_has_consented(
    gate: tuple[Provider, str], app: Application, visitor: Visitor
) -> None:
    signed_in(gate[0], app, visitor)
    visitor.forget("localhost")

    page = visitor.get(app.url + app.sign_in)

    assert app.greets(page), (page.url, page.text)


def test_refreshes_its_tokens_again_and_again(
    gate: tuple[Provider, str], app: Application, visitor: Visitor
) -> None:
    signed_in(gate[0], app, visitor)

    seen = [visitor.get(app.url + app.refresh) for _ in range(4)]

    assert all(app.greets(page) for page in seen), [page.text for page in seen]
    assert len({app.refreshed(page) for page in seen} - {""}) == 4


def test_signing_out_there_signs_out_at_the_gate(
    gate: tuple[Provider, str], app: Application, visitor: Visitor
) -> None:
    signed_in(gate[0], app, visitor)

    page = visitor.get(app.url + app.sign_out)

    assert page.url.startswith(app.url), (page.url, page.text)
    assert not app.greets(visitor.get(app.url + app.home))
    members = visitor.get(f"{gate[0].issuer}/members/")
    assert members.form("password"), members.text


def test_signing_out_at_the_gate_signs_out_there(
    gate: tuple[Provider, str], app: Application, visitor: Visitor
) -> None:
    stays = Visitor()
    for each in (visitor, stays):
        signed_in(gate[0], app, each)

    gate[0].sign_out(visitor)

    until_gone(app, visitor)
    assert app.greets(stays.get(app.url + app.home))


def until_gone(app: Application, visitor: Visitor) -> None:
    """The gate tells applications a moment later, and again if they do not listen."""
    deadline = time.monotonic() + 20
    while app.greets(visitor.get(app.url + app.home)):
        assert time.monotonic() < deadline, app.log()
        time.sleep(0.1)


def test_learns_nothing_when_the_person_says_no(
    gate: tuple[Provider, str], tmp_path: Path, visitor: Visitor
) -> None:
    with APPLICATIONS["Authlib"](Places(*gate, tmp_path)) as app:
        page = gate[0].through(visitor, visitor.get(app.url + app.sign_in), consent="deny")

        assert (page.status, page.text) == (403, "The gate says: access_denied")
        assert not app.greets(visitor.get(app.url + app.home))


def test_a_program_without_a_secret_signs_in_and_out_by_requests_oauthlib(
    gate: tuple[Provider, str], visitor: Visitor
) -> None:
    with Native(gate[0]) as program:
        page = gate[0].through(visitor, visitor.get(program.url))
        status = program.wait()

    assert page.text == "You may close this window now.\n"
    assert status == 0, program.log()
    assert program.log().splitlines()[1:] == [
        f"Signed in as {NAME}, {EMAIL}.",
        f"Still signed in as {NAME}, by another token.",
        "Signed out: the gate answers 401.",
    ]


@pytest.mark.skipif(bool(missing("openid-client")), reason=missing("openid-client"))
def test_a_device_is_signed_in_by_the_browser_in_somebodys_hand(
    gate: tuple[Provider, str], tmp_path: Path, visitor: Visitor
) -> None:
    with Device(Places(*gate, tmp_path)) as device:
        page = visitor.get(device.page)
        if form := page.form("password"):
            page = visitor.send(page, form, username="sue", password=PASSWORD)
        page = visitor.send(page, page.forms[-1], user_code=device.code)
        page = visitor.send(page, page.forms[-1], "allow")
        status = device.wait(30)

    assert page.status == 200
    assert status == 0, device.log()
    assert device.log().splitlines()[1:] == [f"Signed in as {NAME}, {EMAIL}."]


@pytest.mark.skipif(bool(missing("oauth4webapi")), reason=missing("oauth4webapi"))
def test_what_an_application_pushes_stands_in_no_address(
    gate: tuple[Provider, str], tmp_path: Path, visitor: Visitor
) -> None:
    with APPLICATIONS["oauth4webapi"](Places(*gate, tmp_path)) as app:
        signed_in(gate[0], app, visitor)

    first = next(url for url in visitor.passed if AUTHORIZE in url)
    assert parse_qs(urlsplit(first).query).keys() == {"client_id", "request_uri"}


def test_rotating_keys_fails_no_login(gate: tuple[Provider, str], tmp_path: Path) -> None:
    """Two workers, and an application that keeps a copy of the keys, under a loop of logins."""
    provider, seen = gate[0], set[str]()
    with APPLICATIONS["Authlib"](Places(*gate, tmp_path)) as app:
        for _ in range(3):
            seen.add(login(provider, app))
            provider.ssogate("keys", "rotate")
        known = time.monotonic() + REREAD + 1  # by all workers
        while time.monotonic() < known:
            seen.add(login(provider, app))
        assert len(seen) == 1
        provider.a_minute_later()
        late = time.monotonic() + 30
        while len(seen) == 1:
            seen.add(login(provider, app))
            assert time.monotonic() < late, "no other key signs"
        seen |= {login(provider, app) for _ in range(5)}
    assert len(seen) == 2


def login(gate: Provider, app: Application) -> str:
    """Sign somebody new in and out; give the `kid` of the key that signed for it."""
    visitor, name = Visitor(), f"p{uuid4().hex[:8]}"
    visitor.get(gate.link(name))
    page = gate.through(visitor, visitor.get(app.url + app.sign_in))
    assert app.greets(page, f"{name}@example.com"), (page.url, page.text, app.log())
    visitor.get(app.url + app.sign_out)
    hints = [parse_qs(urlsplit(url).query).get("id_token_hint", []) for url in visitor.passed]
    ((hint,),) = (hint for hint in hints if hint)
    return str(jwt.get_unverified_header(hint)["kid"])
