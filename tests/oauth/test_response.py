"""Answers that lose nothing on their way, and name who answers."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssogate.oauth.errors import AuthorizationError, ErrorCode, ReplyTo, ResponseMode
from ssogate.oauth.response import granted, redirect_location, refused

ISSUER = "https://gate.example"
URI = "https://app.example/cb"


def reply(uri: str = URI, mode: str = "query", state: str = "s t") -> ReplyTo:
    return ReplyTo(uri, ResponseMode(mode), state)


@pytest.mark.parametrize(
    ("reply_to", "expected"),
    [
        pytest.param(reply(), f"{URI}?", id="query"),
        pytest.param(reply(f"{URI}?a=b"), f"{URI}?a=b&", id="a query that was there"),
        pytest.param(reply(f"{URI}?"), f"{URI}?", id="an empty query"),
        pytest.param(reply("com.app:/cb"), "com.app:/cb?", id="a scheme of an app's own"),
        pytest.param(reply(mode="fragment"), f"{URI}#", id="fragment"),
        pytest.param(reply(f"{URI}?a=b", "fragment"), f"{URI}?a=b#", id="fragment after a query"),
    ],
)
def test_the_location_keeps_what_was_registered(reply_to: ReplyTo, expected: str) -> None:
    location = redirect_location(reply_to, granted(reply_to, issuer=ISSUER, code="c0de"))

    assert location == f"{expected}code=c0de&state=s%20t&iss=https%3A%2F%2Fgate.example"


def test_a_form_is_a_page_and_no_location() -> None:
    reply_to = reply(mode="form_post")
    parameters = granted(reply_to, issuer=ISSUER, code="c0de")

    assert dict(parameters) == {"code": "c0de", "state": "s t", "iss": ISSUER}
    with pytest.raises(ValueError, match="form_post"):
        redirect_location(reply_to, parameters)


def test_a_refusal_says_why_and_by_whom() -> None:
    error = AuthorizationError(ErrorCode.LOGIN_REQUIRED, "Nobody is signed in.", reply())

    assert refused(error, issuer=ISSUER) == (
        ("error", "login_required"),
        ("error_description", "Nobody is signed in."),
        ("state", "s t"),
        ("iss", ISSUER),
    )


def test_no_state_is_given_back_to_who_sent_none() -> None:
    assert dict(granted(reply(state=""), issuer=ISSUER, code="c")) == {"code": "c", "iss": ISSUER}


def test_a_refusal_with_nowhere_to_go_stays_one() -> None:
    error = AuthorizationError(ErrorCode.INVALID_REQUEST, "There is no such client.")

    with pytest.raises(AuthorizationError) as raised:
        refused(error, issuer=ISSUER)
    assert raised.value is error
    assert (error.status, error.code) == (400, "authorization_refused")


@given(
    state=st.text(st.characters(codec="utf-8"), min_size=1, max_size=50),
    mode=st.sampled_from(["query", "fragment"]),
)
def test_no_state_breaks_out_of_its_parameter(state: str, mode: str) -> None:
    reply_to = reply(mode=mode, state=state)

    location = redirect_location(reply_to, granted(reply_to, issuer=ISSUER, code="c"))

    assert location.isascii()
    assert location.isprintable()
    assert location.startswith(URI)
    found = urlsplit(location)
    assert parse_qsl(found.query or found.fragment) == [
        ("code", "c"),
        ("state", state),
        ("iss", ISSUER),
    ]
