"""The OpenID Foundation's certification profile Config OP: the discovery document, member by
member. What it names works, and what works is named."""

from __future__ import annotations

from urllib.parse import urlsplit

import jwt
import pytest
import requests

from tests.conformance.conftest import ALGORITHMS, SCOPE, Gate
from tests.conformance.person import SECONDS, Person
from tests.conformance.relying_party import Json, RelyingParty

pytestmark = pytest.mark.server

PLACES = (
    "/.well-known/openid-configuration",
    "/oauth/openid-configuration.php",
    "/.well-known/oauth-authorization-server",
)
ENDPOINTS = {
    f"{name}_endpoint"
    for name in (
        *("authorization", "token", "userinfo", "end_session", "revocation", "introspection"),
        *("registration", "pushed_authorization_request", "device_authorization"),
    )
}
METHODS = {"client_secret_basic", "client_secret_post", "private_key_jwt", "none"}
GRANTS = {
    "authorization_code",
    "refresh_token",
    "client_credentials",
    "urn:ietf:params:oauth:grant-type:device_code",
}
NEVER = ("password", "implicit", "urn:ietf:params:oauth:grant-type:jwt-bearer")


@pytest.fixture
def document(rp: RelyingParty) -> Json:
    return rp.metadata


def test_the_document_is_where_the_issuer_says(gate: Gate, document: Json) -> None:
    """oidcc-discovery-endpoint-verification: issuer"""
    issuer = gate.provider.issuer
    assert document["issuer"] == issuer
    for place in PLACES:
        response = requests.get(f"{issuer}{place}", timeout=SECONDS)
        assert response.status_code == 200
        assert response.headers["Content-Type"] == "application/json"
        assert response.json() == document


def test_every_address_is_on_the_issuers_origin_and_answers(gate: Gate, document: Json) -> None:
    """oidcc-discovery-endpoint-verification: endpoints"""
    named = {name for name in document if name.endswith("_endpoint")}
    assert named == ENDPOINTS
    for address in (*(document[name] for name in named), document["jwks_uri"]):
        parts = urlsplit(address)
        # The suite wants https; a gate on the machine itself is tried out in clear.
        assert f"{parts.scheme}://{parts.netloc}" == gate.provider.issuer
        assert not parts.query
        assert not parts.fragment
        answer = requests.get(address, allow_redirects=False, timeout=SECONDS)
        assert answer.status_code in (200, 400, 401, 405), address


def test_the_keys_are_public_and_say_what_they_are_for(rp: RelyingParty, document: Json) -> None:
    """oidcc-discovery-endpoint-verification: jwks_uri"""
    keys = rp.published_keys()
    private = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

    assert {key["alg"] for key in keys} == {*ALGORITHMS}
    assert len({key["kid"] for key in keys}) == len(keys)
    for key in keys:
        assert key["use"] == "sig"
        assert not private & key.keys()
        assert jwt.PyJWK(key, key["alg"])
    assert document["id_token_signing_alg_values_supported"] == [*ALGORITHMS]


def test_the_members_say_what_is_so(document: Json) -> None:
    """oidcc-discovery-endpoint-verification: all that has one right value here"""
    expected = {
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["public"],
        "code_challenge_methods_supported": ["S256"],
        "claim_types_supported": ["normal"],
        "claims_parameter_supported": True,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "authorization_response_iss_parameter_supported": True,
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
    }
    assert {name: document.get(name) for name in expected} == expected
    assert {*document["grant_types_supported"]} == GRANTS
    assert {*document["token_endpoint_auth_methods_supported"]} == METHODS
    assert {*document["revocation_endpoint_auth_methods_supported"]} == METHODS
    assert {*document["introspection_endpoint_auth_methods_supported"]} == METHODS - {"none"}
    assert {*document["scopes_supported"]} == {*SCOPE.split()}
    # A list with nothing in it, or an empty text, must be left out (RFC 8414, section 3.2).
    assert all(value not in ([], "", None) for value in document.values())


def test_every_grant_type_that_is_named_is_known_and_no_other(
    rp: RelyingParty, document: Json
) -> None:
    for grant in document["grant_types_supported"]:
        assert rp.post("token", grant_type=grant).json()["error"] != "unsupported_grant_type"
    for grant in NEVER:
        assert rp.post("token", grant_type=grant).json()["error"] == "unsupported_grant_type"


@pytest.mark.parametrize(
    "response_type", ["token", "id_token", "code id_token", "code token", "none", "Code"]
)
def test_no_response_type_works_that_is_not_named(
    rp: RelyingParty, sue: Person, response_type: str
) -> None:
    assert rp.ask(sue, response_type=response_type).error == "unsupported_response_type"


def test_every_response_mode_that_is_named_works_and_no_other(
    rp: RelyingParty, sue: Person, document: Json
) -> None:
    for mode in document["response_modes_supported"]:
        assert rp.sign_in(sue, response_mode=mode).claims["sub"]
    for mode in ("query.jwt", "web_message"):
        stop = sue.go(rp.request(response_mode=mode).url)
        assert "error=invalid_request" in stop.url


def test_every_prompt_that_is_named_is_known_and_no_other(
    rp: RelyingParty, sue: Person, document: Json
) -> None:
    assert rp.ask(sue).error == ""
    for prompt in document["prompt_values_supported"]:
        assert rp.ask(sue, prompt=prompt).error == ""
    assert rp.ask(sue, prompt="create").error == "invalid_request"
    assert rp.ask(sue, prompt="none login").error == "invalid_request"


def test_every_scope_that_is_named_can_be_had_with_claims_that_are_named(
    rp: RelyingParty, sue: Person, document: Json
) -> None:
    signed = rp.sign_in(sue, scope=" ".join(document["scopes_supported"]))

    assert {*signed.tokens["scope"].split()} == {*document["scopes_supported"]}
    known = {*document["claims_supported"]}
    assert rp.about(signed.access).keys() <= known
    # What is of the sign-in and of its protection is not of the person.
    assert signed.claims.keys() <= known | {"sid", "at_hash"}


def test_a_code_challenge_is_taken_by_the_method_that_is_named_alone(
    rp: RelyingParty, sue: Person
) -> None:
    careful = RelyingParty(rp.discovery_url, rp.credentials, pkce=True)
    for method in ("plain", None):
        assert careful.ask(sue, code_challenge_method=method).error == "invalid_request"


def test_the_document_and_the_keys_may_be_kept_for_a_while(rp: RelyingParty) -> None:
    for url in (rp.discovery_url, rp.metadata["jwks_uri"]):
        kept = requests.get(url, timeout=SECONDS).headers["Cache-Control"]
        assert kept.startswith("public, max-age=")
