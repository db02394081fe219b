"""Requests that a client pushes: who may, what is kept of them, and that each is good once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from werkzeug.wrappers import Response

from ssogate.model import ClientAuthentication
from ssogate.oauth.errors import AuthorizationError
from ssogate.provider.addresses import PUSHED_AUTHORIZATION
from ssogate.provider.authorization.pushed import LIFETIME, MOST, URN
from ssogate.storage import SQLiteStore
from tests.provider.making_openid import (
    SECRET,
    Provided,
    answered,
    asked,
    sent_to_sign_in,
)
from tests.storage.making import Hands


class Pushing(Provided):
    def push(self, *more: tuple[str, str], **changed: str | None) -> Response:
        form = asked([("client_secret", SECRET), *more], **changed)
        return self.visit(PUSHED_AUTHORIZATION, form=form, Accept="application/json", Origin="")

    def pushed(self, **changed: str | None) -> dict[str, str]:
        """Push a good request, and give what the browser brings."""
        reply = self.push(**changed)
        assert reply.status_code == 201, reply.get_json()
        return {"client_id": "WIKI", "request_uri": reply.get_json()["request_uri"]}

    def leads_nowhere(self, brought: dict[str, str]) -> None:
        """What a browser brings is refused on our own page."""
        with pytest.raises(AuthorizationError) as refused:
            self.visit(query=brought, session=self.session)
        assert refused.value.reply_to is None

    def trust(self) -> None:
        """Let nobody be asked for consent."""
        self.change(trusted=True)


@pytest.fixture
def wiki(tmp_path: Path) -> Pushing:
    pushing = Pushing(SQLiteStore(tmp_path / "gate.db", clock=Hands()))
    pushing.trust()
    return pushing


def test_a_pushed_request_is_answered_as_any_other(wiki: Pushing) -> None:
    brought = wiki.pushed()
    told = answered(wiki.visit(query=brought, session=wiki.session))
    assert told["state"] == "a state & more"
    assert told["code"]


def test_it_is_kept_for_ten_minutes_and_told_so(wiki: Pushing) -> None:
    reply = wiki.push()
    assert reply.get_json()["expires_in"] == LIFETIME
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.get_json()["request_uri"].startswith(URN)
    wiki.clock.now += LIFETIME
    wiki.leads_nowhere({"client_id": "WIKI", "request_uri": reply.get_json()["request_uri"]})


def test_it_is_good_once(wiki: Pushing) -> None:
    brought = wiki.pushed()
    answered(wiki.visit(query=brought, session=wiki.session))
    wiki.leads_nowhere(brought)


def test_who_signs_in_first_comes_back_to_it(wiki: Pushing) -> None:
    brought = wiki.pushed(claims='{"userinfo": {"%s": null}}' % ("x" * 4000))
    back = sent_to_sign_in(wiki.visit(query=brought))
    assert "x" * 100 not in back
    assert back.startswith("/oauth/authorize.php?client_id=WIKI&request_uri=urn")


def test_nothing_in_the_browser_s_hands_changes_it(wiki: Pushing) -> None:
    brought = wiki.pushed(state="kept")
    changed = {**brought, "state": "another", "scope": "openid groups", "prompt": "none"}
    assert answered(wiki.visit(query=changed, session=wiki.session))["state"] == "kept"


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param(URN, id="empty"),
        pytest.param(f"{URN}made-up", id="made-up"),
        pytest.param(f"{URN}\0", id="zero-byte"),
    ],
)
def test_a_made_up_address_leads_nowhere(wiki: Pushing, uri: str) -> None:
    brought = {"client_id": "WIKI", "request_uri": uri, "redirect_uri": "https://wiki.example/back"}
    wiki.leads_nowhere(brought)


def test_no_address_of_another_site_is_fetched(wiki: Pushing) -> None:
    told = answered(
        wiki.visit(query=asked(request_uri="https://evil.example/r"), session=wiki.session)
    )
    assert told["error"] == "request_uri_not_supported"


def test_another_client_s_address_leads_nowhere(wiki: Pushing) -> None:
    wiki.add_client("OTHER", trusted=True)
    brought = {**wiki.pushed(), "client_id": "OTHER"}
    wiki.leads_nowhere(brought)


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        pytest.param({"redirect_uri": "https://evil.example/"}, "invalid_request", id="redirect"),
        pytest.param({"response_type": "token"}, "unsupported_response_type", id="type"),
        pytest.param({"scope": "openid  email"}, "invalid_scope", id="scope"),
        pytest.param({"code_challenge": None}, "invalid_request", id="challenge"),
        pytest.param({"request_uri": f"{URN}x"}, "invalid_request", id="request-uri"),
        pytest.param({"request": "a.b.c"}, "request_not_supported", id="request"),
        pytest.param({"client_secret": None}, "invalid_client", id="no-secret"),
    ],
)
def test_its_author_hears_what_is_wrong_with_it(
    wiki: Pushing, changed: dict[str, Any], error: str
) -> None:
    form = asked(**changed)
    if "client_secret" not in changed:
        form.append(("client_secret", SECRET))
    reply = wiki.visit(PUSHED_AUTHORIZATION, form=form, Accept="application/json", Origin="")
    assert (reply.status_code, reply.get_json()["error"]) == (400, error)


def test_a_parameter_stands_once(wiki: Pushing) -> None:
    assert wiki.push(("state", "second")).get_json()["error"] == "invalid_request"


def test_nothing_of_it_stands_in_the_address(wiki: Pushing) -> None:
    pairs = asked([("client_secret", SECRET)])
    reply = wiki.visit(PUSHED_AUTHORIZATION, query={"scope": "x"}, form=pairs, Origin="")
    assert reply.get_json()["error"] == "invalid_request"


def test_the_store_knows_neither_its_address_nor_a_secret(wiki: Pushing) -> None:
    uri = wiki.pushed()["request_uri"]
    rows = wiki.store.database.rows(text("SELECT * FROM tickets"))
    kept = str([tuple(row) for row in rows])
    assert "code_challenge" in kept
    assert uri.removeprefix(URN) not in kept
    assert SECRET not in kept


def test_nobody_fills_the_store_with_requests(wiki: Pushing) -> None:
    replies = [wiki.push().status_code for _ in range(MOST + 1)]
    assert replies == [201] * MOST + [429]


def test_a_stranger_does_not_use_up_what_is_a_public_client_s(wiki: Pushing) -> None:
    wiki.change(authentication=ClientAuthentication.NONE)

    def pushes(client: str) -> int:
        reply = wiki.visit(PUSHED_AUTHORIZATION, form=asked(), Origin="", client=client)
        return reply.status_code

    stranger = [pushes(f"2001:db8::{n:x}") for n in range(MOST // 10 + 1)]
    assert stranger == [201] * (MOST // 10) + [429]
    assert pushes("2001:db8:0:1::1") == 201
    assert pushes("192.0.2.1") == 201


def test_only_what_counts_is_kept(wiki: Pushing) -> None:
    wiki.push(("x", "\1" * 20_000))
    (kept,) = wiki.store.database.rows(text("SELECT data FROM tickets"))
    assert len(kept[0]) < 1000


def test_no_request_fills_the_store(wiki: Pushing) -> None:
    reply = wiki.push(id_token_hint="\1" * 16_000)
    assert (reply.status_code, reply.get_json()["error"]) == (400, "invalid_request")
    assert not wiki.store.database.rows(text("SELECT data FROM tickets"))
