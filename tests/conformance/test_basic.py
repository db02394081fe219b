"""The OpenID Foundation's certification profile Basic OP, each check under its own name."""

from __future__ import annotations

import json
import time
from typing import Any

import jwt
import pytest

from tests.conformance.conftest import Gate
from tests.conformance.person import Person
from tests.conformance.relying_party import CALLBACK, RelyingParty
from tests.real.relying_parties import EMAIL, NAME

pytestmark = pytest.mark.server

PROFILE = {
    "name": NAME,
    "given_name": NAME.split()[0],
    "family_name": NAME.split()[1],
    "preferred_username": "sue",
}
ADDRESS = {"email": EMAIL, "email_verified": False}


def test_a_person_signs_in(rp: RelyingParty, sue: Person) -> None:
    """oidcc-server"""
    signed = rp.sign_in(sue)

    assert signed.claims["sub"] == rp.about(signed.access)["sub"]
    assert len(signed.claims["sub"]) <= 255
    assert abs(signed.claims["iat"] - time.time()) < 60
    assert signed.claims["exp"] > signed.claims["iat"]
    assert abs(signed.claims["auth_time"] - time.time()) < 60
    assert "refresh_token" not in signed.tokens or rp.knows(signed.tokens["refresh_token"])


def test_a_request_without_a_response_type_is_refused(rp: RelyingParty, sue: Person) -> None:
    """oidcc-response-type-missing"""
    assert rp.ask(sue, response_type=None).error == "invalid_request"


def test_an_id_token_is_signed_by_a_published_key(rp: RelyingParty, sue: Person) -> None:
    """oidcc-idtoken-signature"""
    signed = rp.sign_in(sue)

    assert signed.header["alg"] == "RS256"
    assert signed.header["kid"] in {key["kid"] for key in rp.published_keys()}
    head, payload, signature = signed.tokens["id_token"].split(".")
    tampered = ("B" if signature[0] == "A" else "A") + signature[1:]
    with pytest.raises(jwt.InvalidSignatureError):
        rp.judged(f"{head}.{payload}.{tampered}")


@pytest.mark.parametrize(
    ("method", "in_form"),
    [
        pytest.param("GET", False, id="oidcc-userinfo-get"),
        pytest.param("POST", False, id="oidcc-userinfo-post-header"),
        pytest.param("POST", True, id="oidcc-userinfo-post-body"),
    ],
)
def test_userinfo_takes_a_token_in_each_way(
    rp: RelyingParty, sue: Person, method: str, in_form: bool
) -> None:
    signed = rp.sign_in(sue)

    response = rp.userinfo(signed.access, method, in_form=in_form)

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    assert response.json()["sub"] == signed.claims["sub"]


def test_no_nonce_is_needed(rp: RelyingParty, sue: Person) -> None:
    """oidcc-ensure-request-without-nonce-succeeds-for-code-flow"""
    assert "nonce" not in rp.sign_in(sue, nonce=None).claims


@pytest.mark.parametrize(
    ("scope", "claims"),
    [
        pytest.param("openid profile", PROFILE, id="oidcc-scope-profile"),
        pytest.param("openid email", ADDRESS, id="oidcc-scope-email"),
        pytest.param("openid address", {}, id="oidcc-scope-address"),
        pytest.param("openid phone", {}, id="oidcc-scope-phone"),
        pytest.param("openid profile email address phone", PROFILE | ADDRESS, id="oidcc-scope-all"),
        pytest.param("email openid", ADDRESS, id="oidcc-ensure-other-scope-order-succeeds"),
    ],
)
def test_a_scope_opens_its_claims_and_an_unknown_one_none(
    rp: RelyingParty, sue: Person, scope: str, claims: dict[str, Any]
) -> None:
    signed = rp.sign_in(sue, scope=scope)

    assert rp.about(signed.access) == {"sub": signed.claims["sub"], **claims}
    assert set(signed.tokens["scope"].split()) == set(scope.split()) - {"address", "phone"}


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param({"display": "page"}, id="oidcc-display-page"),
        pytest.param({"display": "popup"}, id="oidcc-display-popup"),
        pytest.param(
            {"extra": "foobar"}, id="oidcc-ensure-request-with-unknown-parameter-succeeds"
        ),
        pytest.param({"login_hint": "buffy@rp.example"}, id="oidcc-login-hint"),
        pytest.param({"ui_locales": "se"}, id="oidcc-ui-locales"),
        pytest.param({"claims_locales": "se"}, id="oidcc-claims-locales"),
        pytest.param({"acr_values": "1 2"}, id="oidcc-ensure-request-with-acr-values-succeeds"),
    ],
)
def test_what_need_not_be_heeded_fails_nothing(
    rp: RelyingParty, sue: Person, asked: dict[str, str]
) -> None:
    signed = rp.sign_in(sue, **asked)

    assert "password" in signed.answer.stop.seen
    assert rp.about(signed.access)["sub"] == signed.claims["sub"]


# --- Who is there ---------------------------------------------------------------------------------


def test_a_client_can_have_somebody_sign_in_again(rp: RelyingParty, sue: Person) -> None:
    """oidcc-prompt-login"""
    first = rp.sign_in(sue)
    _let_a_second_pass()
    again = rp.sign_in(sue, prompt="login")

    assert "password" in again.answer.stop.seen
    assert again.claims["auth_time"] > first.claims["auth_time"]
    assert again.claims["sub"] == first.claims["sub"]


def test_nobody_is_asked_where_nobody_may_be(rp: RelyingParty, sue: Person) -> None:
    """oidcc-prompt-none-not-logged-in"""
    answer = rp.ask(sue, prompt="none")

    assert (answer.error, answer.stop.seen) == ("login_required", ())


def test_somebody_who_is_there_need_not_be_asked(rp: RelyingParty, sue: Person) -> None:
    """oidcc-prompt-none-logged-in"""
    first = rp.sign_in(sue)
    again = rp.sign_in(sue, prompt="none")

    assert again.answer.stop.seen == ()
    assert again.claims["auth_time"] == first.claims["auth_time"]
    assert again.claims["sub"] == first.claims["sub"]


@pytest.mark.parametrize(
    ("limit", "asked"),
    [
        pytest.param("1", ("password",), id="oidcc-max-age-1"),
        pytest.param("10000", (), id="oidcc-max-age-10000"),
    ],
)
def test_a_sign_in_may_be_no_older_than_asked_for(
    rp: RelyingParty, sue: Person, limit: str, asked: tuple[str, ...]
) -> None:
    first = rp.sign_in(sue)
    _let_a_second_pass()
    again = rp.sign_in(sue, max_age=limit)

    assert again.answer.stop.seen == asked
    assert (again.claims["auth_time"] > first.claims["auth_time"]) is bool(asked)
    assert again.claims["sub"] == first.claims["sub"]


def test_an_id_token_says_who_is_meant(rp: RelyingParty, sue: Person) -> None:
    """oidcc-id-token-hint"""
    first = rp.sign_in(sue)
    again = rp.sign_in(sue, prompt="none", id_token_hint=first.tokens["id_token"])

    assert again.claims["sub"] == first.claims["sub"]


# --- Codes and refresh tokens ---------------------------------------------------------------------


def test_a_code_counts_once(rp: RelyingParty, sue: Person) -> None:
    """oidcc-codereuse"""
    signed = rp.sign_in(sue)
    again = rp.redeem(signed.answer)

    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")


def test_a_code_that_comes_again_later_ends_what_it_gave(
    gate: Gate, rp: RelyingParty, sue: Person
) -> None:
    """oidcc-codereuse-30seconds"""
    signed = rp.sign_in(sue, scope="openid offline_access")
    assert rp.userinfo(signed.access).status_code == 200
    gate.later(30)
    again = rp.redeem(signed.answer)

    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert rp.userinfo(signed.access).status_code == 401
    assert rp.refresh(signed.tokens["refresh_token"]).json()["error"] == "invalid_grant"


def test_a_code_counts_for_a_minute(gate: Gate, rp: RelyingParty, sue: Person) -> None:
    """RFC 9700, section 4.5; the suite has no check of it."""
    answer = rp.ask(sue)
    gate.later(61)

    assert rp.redeem(answer).json()["error"] == "invalid_grant"


def test_a_refresh_token_is_good_for_its_client_alone(
    rp: RelyingParty, other: RelyingParty, sue: Person
) -> None:
    """oidcc-refresh-token"""
    first = rp.sign_in(sue, scope="openid offline_access", prompt="consent")
    assert "consent" in first.answer.stop.seen
    fresh = rp.refresh(first.tokens["refresh_token"])
    tokens = fresh.json()

    assert fresh.status_code == 200
    assert tokens["access_token"] != first.access
    assert rp.about(tokens["access_token"])["sub"] == first.claims["sub"]
    claims = rp.judged(tokens["id_token"])
    same = ("iss", "sub", "aud", "auth_time", "sid")
    assert {it: claims[it] for it in same} == {it: first.claims[it] for it in same}
    assert claims["iat"] >= first.claims["iat"]
    assert claims.get("nonce") in (None, first.claims["nonce"])
    assert other.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert rp.refresh(tokens["refresh_token"]).status_code == 200, "a stranger spoils nothing"


def test_a_client_may_prove_itself_in_the_form(gate: Gate, sue: Person) -> None:
    """oidcc-server-client-secret-post"""
    own = gate.credentials("--no-pkce", method="client_secret_post")
    party = RelyingParty(gate.discovery_url, own)

    assert party.sign_in(sue).claims["aud"] == own.client_id


def test_a_code_challenge_is_heeded_also_where_none_is_needed(
    rp: RelyingParty, sue: Person
) -> None:
    """oidcc-ensure-request-with-valid-pkce-succeeds"""
    careful = RelyingParty(rp.discovery_url, rp.credentials, pkce=True)
    answer = careful.ask(sue)

    wrong = careful.redeem(answer, code_verifier="w" * 43)
    assert wrong.json()["error"] == "invalid_grant"
    assert careful.verified(answer, careful.redeem(answer)).claims["sub"]


# --- How a request may come -----------------------------------------------------------------------


def test_nobody_is_sent_where_the_client_has_not_said(rp: RelyingParty, sue: Person) -> None:
    """oidcc-ensure-registered-redirect-uri"""
    stop = sue.go(rp.request(redirect_uri="https://rp.example/another").url)

    assert stop.status == 400
    assert "rp.example/another" not in stop.text


def test_a_request_may_come_by_a_form_of_the_clients(rp: RelyingParty, sue: Person) -> None:
    """oidcc-ensure-post-request-succeeds"""
    asked = rp.request()
    stop = sue.arrive(rp.metadata["authorization_endpoint"], asked.sent)

    answer = rp.answered(asked, stop)
    assert rp.verified(answer, rp.redeem(answer)).claims["sub"]


def _unsigned(asked: dict[str, str]) -> str:
    return jwt.encode(dict(asked), "", "none")


def test_a_request_object_is_refused_as_unsupported(rp: RelyingParty, sue: Person) -> None:
    """oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported"""
    made = _unsigned({"state": "of the object", "nonce": "of the object"})

    assert rp.metadata["request_parameter_supported"] is False
    assert rp.ask(sue, request=made).error == "request_not_supported"


def test_the_address_of_a_request_object_is_refused(rp: RelyingParty, sue: Person) -> None:
    """oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported"""
    assert rp.metadata["request_uri_parameter_supported"] is False
    assert rp.ask(sue, request_uri="https://rp.example/r.jwt").error == "request_uri_not_supported"


def test_a_request_objects_redirect_uri_counts_for_nothing(rp: RelyingParty, sue: Person) -> None:
    """oidcc-ensure-request-object-with-redirect-uri"""
    made = _unsigned({"redirect_uri": CALLBACK})

    assert rp.ask(sue, request=made).error == "request_not_supported"
    stop = sue.go(rp.request(request=made, redirect_uri="https://rp.example/another").url)
    assert stop.status == 400


def test_a_claim_may_be_asked_for_by_its_name(rp: RelyingParty, sue: Person) -> None:
    """oidcc-claims-essential"""
    asked = json.dumps({"userinfo": {"name": {"essential": True}}})
    signed = rp.sign_in(sue, claims=asked)

    assert rp.about(signed.access) == {"sub": signed.claims["sub"], "name": NAME}


def _let_a_second_pass() -> None:
    """Times of sign-ins are whole seconds."""
    time.sleep(1.1)
