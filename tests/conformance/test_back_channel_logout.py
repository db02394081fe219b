"""The OpenID Foundation's certification profile Back-Channel OP: a client hears that a session has
ended, by a token that it can verify."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from urllib.parse import parse_qsl

import pytest

from tests.conformance.conftest import Gate
from tests.conformance.person import Person
from tests.conformance.relying_party import Json, RelyingParty, SignIn
from tests.launch.tls import Listener, Request

pytestmark = pytest.mark.server

BYE = "https://rp.example/bye"
EVENT = "http://schemas.openid.net/event/backchannel-logout"
ONLINE, OFFLINE = "openid", "openid offline_access"
PATIENCE = 15  # seconds until the provider has called


@dataclass
class Heard:
    """A relying party that listens."""

    rp: RelyingParty
    calls: SimpleQueue[Request]

    def logout(self) -> Json:
        """Give what the next call says, verified (Back-Channel Logout 1.0, section 2.6)."""
        call = self.calls.get(timeout=PATIENCE)
        assert (call.method, call.target) == ("POST", "/logout")
        assert call.headers["content-type"] == "application/x-www-form-urlencoded"
        ((name, token),) = parse_qsl(call.body.decode(), strict_parsing=True)
        assert name == "logout_token"
        claims = self.rp.judged(token, typ="logout+jwt")
        assert claims["events"] == {EVENT: {}}
        assert claims["jti"]
        assert claims["exp"] - claims["iat"] <= 120
        assert "nonce" not in claims
        return claims

    def is_about(self, claims: Json, signed: SignIn) -> bool:
        return (claims["sub"], claims["sid"]) == (signed.claims["sub"], signed.claims["sid"])


@pytest.fixture
def heard(gate: Gate) -> Iterator[Heard]:
    calls: SimpleQueue[Request] = SimpleQueue()

    def answer(request: Request) -> bytes:
        calls.put(request)
        return b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

    with Listener(answer) as listener:
        uri = f"http://127.0.0.1:{listener.port}/logout"
        rp = gate.relying_party("--back-channel-logout-uri", uri, "--post-logout-redirect-uri", BYE)
        yield Heard(rp, calls)


def test_a_client_hears_of_the_logout_that_it_began(heard: Heard, sue: Person) -> None:
    """oidcc-backchannel-rp-initiated-logout"""
    signed = heard.rp.sign_in(sue)
    hint = signed.tokens["id_token"]
    stop = sue.go(heard.rp.logout(id_token_hint=hint, post_logout_redirect_uri=BYE))

    assert stop.url == BYE
    assert heard.is_about(heard.logout(), signed)
    assert heard.rp.ask(sue, prompt="none").error == "login_required"


def test_a_client_hears_of_the_gates_own_sign_out(heard: Heard, sue: Person) -> None:
    signed = heard.rp.sign_in(sue)
    sue.sign_out()

    assert heard.is_about(heard.logout(), signed)
    assert not heard.rp.knows(signed.access)


def test_a_client_hears_of_a_logout_that_another_began(
    heard: Heard, rp: RelyingParty, sue: Person
) -> None:
    first, signed = rp.sign_in(sue), heard.rp.sign_in(sue)
    assert first.claims["sid"] == signed.claims["sid"]
    sue.go(rp.logout(id_token_hint=first.tokens["id_token"]))

    assert heard.is_about(heard.logout(), signed)


@pytest.mark.parametrize(
    ("scope", "stays"),
    [
        pytest.param(ONLINE, False, id="online"),
        pytest.param(OFFLINE, True, id="offline_access"),
    ],
)
def test_what_a_client_got_for_the_session_ends_with_it(
    heard: Heard, sue: Person, scope: str, stays: bool
) -> None:
    """Back-Channel Logout 1.0, section 2.7"""
    signed = heard.rp.sign_in(sue, scope=scope)
    assert heard.rp.knows(signed.access)
    refresh = signed.tokens.get("refresh_token", "")
    sue.sign_out()
    heard.logout()

    assert heard.rp.knows(signed.access) is stays
    assert (heard.rp.userinfo(signed.access).status_code == 200) is stays
    if refresh:
        assert (heard.rp.refresh(refresh).status_code == 200) is stays
