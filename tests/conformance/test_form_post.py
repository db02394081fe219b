"""The OpenID Foundation's certification profile Form Post OP: what is different in it."""

from __future__ import annotations

import pytest

from tests.conformance.person import Person
from tests.conformance.relying_party import CALLBACK, RelyingParty

pytestmark = pytest.mark.server


@pytest.fixture
def posted(rp: RelyingParty) -> RelyingParty:
    """The first client, which wants its answers by a form."""
    return RelyingParty(rp.discovery_url, rp.credentials, always={"response_mode": "form_post"})


def test_a_person_signs_in(posted: RelyingParty, sue: Person) -> None:
    """oidcc-server"""
    signed = posted.sign_in(sue)
    stop = signed.answer.stop

    assert stop.url == CALLBACK, "nothing of the answer is in the address"
    assert stop.sent.keys() == {"code", "state", "iss"}
    assert posted.about(signed.access)["sub"] == signed.claims["sub"]


def test_somebody_who_is_there_need_not_be_asked(posted: RelyingParty, sue: Person) -> None:
    """oidcc-prompt-none-logged-in"""
    first = posted.sign_in(sue)

    assert posted.sign_in(sue, prompt="none").claims["sub"] == first.claims["sub"]


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        pytest.param({"response_type": None}, "invalid_request", id="oidcc-response-type-missing"),
        pytest.param({"prompt": "none"}, "login_required", id="oidcc-prompt-none-not-logged-in"),
        pytest.param(
            {"request": "e30.e30."},
            "request_not_supported",
            id="oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported",
        ),
    ],
)
def test_an_error_comes_by_a_form_too(
    posted: RelyingParty, sue: Person, asked: dict[str, str | None], error: str
) -> None:
    answer = posted.ask(sue, **asked)

    assert answer.error == error
    assert answer.stop.url == CALLBACK
    assert answer.stop.sent.keys() == {"error", "error_description", "state", "iss"}


def test_nobody_is_sent_where_the_client_has_not_said(posted: RelyingParty, sue: Person) -> None:
    """oidcc-ensure-registered-redirect-uri"""
    stop = sue.go(posted.request(redirect_uri="https://rp.example/another").url)

    assert (stop.status, stop.forms) == (400, [])


def test_a_code_counts_once(posted: RelyingParty, sue: Person) -> None:
    """oidcc-codereuse"""
    signed = posted.sign_in(sue)

    assert posted.redeem(signed.answer).json()["error"] == "invalid_grant"
