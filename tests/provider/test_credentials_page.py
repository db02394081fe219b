"""The page on which administrators keep the credentials of applications."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from werkzeug.wrappers import Request, Response

from ssogate.crypto.random_secrets import matches
from ssogate.directory.administrators import add_administrator
from ssogate.errors import BadForm, CrossSite, NoRoute
from ssogate.http import environ as env
from ssogate.model import Client, ClientAuthentication, GrantType, Session
from ssogate.portal import Door
from ssogate.provider.clients.credentials_page import CREDENTIALS, CredentialsPage
from ssogate.storage import SQLiteStore
from tests.directory.making import SUE
from tests.login.forms import environ
from tests.provider.making_openid import Provided, challenge_url
from tests.storage.making import NOW, Hands

TREE = f"{CREDENTIALS}/"
SHOP = {
    "name": "The shop",
    "description": "",
    "logo_uri": "",
    "scope": "openid email",
    "redirect_uris": "https://shop.example/back\r\n\r\n  com.shop.app:/cb\r\n",
    "post_logout_redirect_uris": "https://shop.example/out",
    "backchannel_logout_uri": "https://shop.example/logout",
    "groups": "staff, members",
    "pkce": "on",
}


class Desk:
    """Joe is an administrator, Ann is not."""

    def __init__(self, folder: Path) -> None:
        self.store = SQLiteStore(folder / "gate.db", clock=Hands())
        self.provided = Provided(self.store)
        add_administrator(self.store, self.provided.joe.identity.subject, [], by=SUE, now=NOW)

    def visit(
        self, path: str = CREDENTIALS, form: Any = None, who: Session | None = None, **sent: Any
    ) -> Response:
        asked = environ(path, form, **sent)
        asked[env.SESSION] = who or self.provided.session
        door = Door(self.store, challenge_url)
        table = door.endpoints(CredentialsPage(self.provided.issuer).pages())
        reply = table[path if path in table else TREE](Request(asked))
        assert isinstance(reply, Response)
        assert reply.headers["Cache-Control"] == "no-store"
        return reply

    def text(
        self, path: str = CREDENTIALS, form: Any = None, status: int = 200, **sent: Any
    ) -> str:
        reply = self.visit(path, form, **sent)
        assert reply.status_code == status
        return unescape(reply.get_data(as_text=True))

    def client(self, number: int) -> Client:
        found = self.store.clients.get(number)
        assert found
        return found

    @property
    def clients(self) -> list[Client]:
        return [*self.store.clients.listed()]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_what_there_is_is_listed_without_secrets(desk: Desk) -> None:
    desk.provided.add_client("PANEL", grant=GrantType.SINGLE_SIGN_ON, name="A panel")

    shown = desk.text()

    assert "The Wiki" in shown
    assert f'href="{TREE}{desk.provided.wiki.number}"' in shown
    assert "A panel" not in shown, "a service's client is kept with the service"
    assert desk.provided.wiki.secret_digest not in shown


def test_a_new_application_is_shown_its_secret_once(desk: Desk) -> None:
    assert "openid profile email" in desk.text(f"{TREE}new")
    shown = desk.text(f"{TREE}new", SHOP)

    shop = desk.client(2)
    secrets = [it for it in re.findall(r'class="code">([^<]+)<', shown) if len(it) == 88]
    assert len(secrets) == 1
    assert matches(secrets[0], shop.secret_digest)
    assert shop.identifier in shown
    assert "https://app.example/.well-known/openid-configuration" in shown
    assert shop.redirect_uris == ("https://shop.example/back", "com.shop.app:/cb")
    assert shop.post_logout_redirect_uris == ("https://shop.example/out",)
    assert shop.backchannel_logout_uri == "https://shop.example/logout"
    assert shop.scopes == {"openid", "email"}
    assert shop.groups == {"staff", "members"}
    assert (shop.pkce, shop.native, shop.trusted) == (True, False, False)
    line = [*desk.store.activity.listed()][-1]
    assert (line.action, line.actor) == ("client.added", "user:joe")
    told = repr([*desk.store.activity.listed()]) + desk.text() + desk.text(f"{TREE}2")
    assert secrets[0] not in told


def test_a_public_application_is_given_no_secret(desk: Desk) -> None:
    shown = desk.text(f"{TREE}new", SHOP | {"public": "on", "native": "on"})

    app = desk.client(2)
    assert (app.authentication, app.native) == (ClientAuthentication.NONE, True)
    assert "Client secret" not in shown
    assert "New secret" not in desk.text(f"{TREE}2")
    with pytest.raises(BadForm):
        desk.visit(f"{TREE}2/secret", {"overlap": "0"})


def test_an_application_is_changed_in_what_the_form_has_and_nothing_else(desk: Desk) -> None:
    desk.provided.add_client("TV", pairwise=False, algorithm="ES256", resources=("https://a/",))
    shown = desk.text(f"{TREE}2")
    assert "https://wiki.example/back" in shown
    before = desk.client(2)

    reply = desk.visit(f"{TREE}2", SHOP | {"trusted": "on"})

    assert (reply.status_code, reply.headers["Location"]) == (303, CREDENTIALS)
    after = desk.client(2)
    assert (after.name, after.trusted) == ("The shop", True)
    assert after.redirect_uris == ("https://shop.example/back", "com.shop.app:/cb")
    assert (after.algorithm, after.resources) == ("ES256", ("https://a/",))
    assert (after.secret_digest, after.identifier) == (before.secret_digest, before.identifier)


@pytest.mark.parametrize(
    ("typed", "words", "field"),
    [
        pytest.param(
            {"redirect_uris": "https://a.example/\n\njavascript:x"},
            "Line 3: 'javascript:x' is no",
            "redirect_uris",
            id="redirect URI",
        ),
        pytest.param(
            {"post_logout_redirect_uris": "http://a.example/"},
            "Line 1: 'http://a.example/' is not https",
            "post_logout_redirect_uris",
            id="after signing out",
        ),
        pytest.param({"scope": "openid emial"}, 'Did you mean "email"?', "name", id="scope"),
        pytest.param({"name": " "}, "A name for the Client", "name", id="name"),
        pytest.param({"groups": "a\u202e"}, "invisible", "name", id="group"),
        pytest.param(
            {"backchannel_logout_uri": "http://a.example/"}, "is not https", "name", id="logout"
        ),
    ],
)
@pytest.mark.parametrize("path", ["new", "1"])
def test_what_cannot_be_is_told_beside_what_was_typed(
    desk: Desk, path: str, typed: dict[str, str], words: str, field: str
) -> None:
    before = desk.clients

    shown = desk.text(f"{TREE}{path}", SHOP | {"description": "Ours"} | typed, 400)

    assert words in shown
    assert 'value="Ours"' in shown
    faulty = re.findall(r'id="([^"]*)"[^>]*aria-invalid', shown)
    assert faulty == [field]
    assert desk.clients == before


def test_a_line_of_a_german_is_a_line(desk: Desk) -> None:
    typed = SHOP | {"redirect_uris": "x"}

    assert "Zeile 1: " in desk.text(f"{TREE}new", typed, 400, Accept_Language="de")


@pytest.mark.parametrize(
    ("overlap", "until"),
    [("0", 0), ("1d", NOW + 86_400), ("7d", NOW + 7 * 86_400)],
)
def test_a_secret_is_reset_at_once_or_after_a_while(desk: Desk, overlap: str, until: int) -> None:
    old = desk.provided.wiki.secret_digest

    shown = desk.text(f"{TREE}1/secret", {"overlap": overlap})

    wiki = desk.client(1)
    (secret,) = (it for it in re.findall(r'class="code">([^<]+)<', shown) if len(it) == 88)
    assert matches(secret, wiki.secret_digest)
    assert wiki.old_secret_until == until
    assert wiki.old_secret_digest == (old if until else "")


@pytest.mark.parametrize("form", [{}, {"overlap": "365d"}, {"overlap": ""}], ids=repr)
def test_no_other_overlap_is_had_here(desk: Desk, form: dict[str, str]) -> None:
    with pytest.raises(BadForm):
        desk.visit(f"{TREE}1/secret", form)
    assert desk.client(1) == desk.provided.wiki


def test_an_application_is_deleted_after_a_question(desk: Desk) -> None:
    assert "Delete The Wiki?" in desk.text(f"{TREE}1/delete")
    assert desk.clients == [desk.provided.wiki]

    reply = desk.visit(f"{TREE}1/delete", {})

    assert (reply.status_code, desk.clients) == (303, [])
    with pytest.raises(NoRoute):
        desk.visit(f"{TREE}1")


def test_to_open_the_address_of_a_secret_resets_nothing(desk: Desk) -> None:
    assert desk.visit(f"{TREE}1/secret").headers["Location"] == f"{TREE}1"
    assert desk.clients == [desk.provided.wiki]


PATHS = pytest.mark.parametrize("path", [CREDENTIALS, *(f"{TREE}{it}" for it in ("new", "1"))])


@PATHS
def test_nobody_else_finds_anything_there(desk: Desk, path: str) -> None:
    for form in (None, SHOP):
        with pytest.raises(NoRoute):
            desk.visit(path, form, who=desk.provided.anns)
    assert desk.clients == [desk.provided.wiki]


@pytest.mark.parametrize("act", ["new", "1", "1/secret", "1/delete"])
def test_no_other_site_sends_these_forms(desk: Desk, act: str) -> None:
    form = SHOP | {"overlap": "0"}
    with pytest.raises(CrossSite):
        desk.visit(f"{TREE}{act}", form, Sec_Fetch_Site="cross-site")
    assert desk.clients == [desk.provided.wiki]


@pytest.mark.parametrize(
    "below",
    ["", "0", "01", "9", "x", "-1", "\u0661", "9" * 30, "1/x", "1/secret/", "new/x"],
)
def test_there_is_no_such_page(desk: Desk, below: str) -> None:
    with pytest.raises(NoRoute):
        desk.visit(f"{TREE}{below}")


def test_a_services_client_is_not_kept_here(desk: Desk) -> None:
    panel = desk.provided.add_client("PANEL", grant=GrantType.SINGLE_SIGN_ON)

    for act in ("", "/secret", "/delete"):
        with pytest.raises(NoRoute):
            desk.visit(f"{TREE}{panel.number}{act}", {"overlap": "0"})


@pytest.mark.parametrize(
    "form",
    [
        pytest.param([(k, v) for k, v in SHOP.items() if k != "groups"], id="a field is missing"),
        pytest.param([*SHOP.items(), ("name", "x")], id="a field twice"),
    ],
)
def test_a_form_that_no_page_of_ours_sends(desk: Desk, form: list[tuple[str, str]]) -> None:
    with pytest.raises(BadForm):
        desk.visit(f"{TREE}new", form)
