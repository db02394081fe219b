"""Discovery: what the standards demand, and nothing that is not so."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ssogate.oauth.claims import BY_SCOPE
from ssogate.oauth.metadata import Endpoints, Offer, checked_issuer, discovery

OFFER = Offer(
    issuer="https://gate.example",
    endpoints=Endpoints(
        authorization="/oauth/authorize.php",
        token="/oauth/token.php",
        userinfo="/oauth/userinfo.php",
        jwks="/oauth/certs.php",
    ),
    algorithms=("RS256",),
    grants=("authorization_code",),
    client_authentication=("client_secret_basic", "client_secret_post"),
    scopes=("openid", "email"),
    claims_by_scope=BY_SCOPE,
)
FULL = replace(
    OFFER,
    endpoints=Endpoints(
        authorization="/a",
        token="/t",
        userinfo="/u",
        jwks="/j",
        end_session="/e",
        revocation="/r",
        introspection="/i",
        registration="/reg",
        pushed_authorization_request="/par",
        device_authorization="/d",
    ),
    client_authentication=("client_secret_basic", "private_key_jwt", "none"),
    pairwise=True,
    acr_values=("1", "2"),
    locales=("en",),
    back_channel_logout=True,
)


def document(offer: Offer) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(discovery(offer))
    return found


def test_everything_that_is_required_is_there() -> None:
    """OpenID Connect Discovery 1.0, section 3; RFC 9207; RFC 7636."""
    found = document(OFFER)

    assert found["issuer"] == "https://gate.example"
    assert found["authorization_endpoint"] == "https://gate.example/oauth/authorize.php"
    assert found["token_endpoint"] == "https://gate.example/oauth/token.php"
    assert found["userinfo_endpoint"] == "https://gate.example/oauth/userinfo.php"
    assert found["jwks_uri"] == "https://gate.example/oauth/certs.php"
    assert found["response_types_supported"] == ["code"]
    assert found["response_modes_supported"] == ["query", "fragment", "form_post"]
    assert found["subject_types_supported"] == ["public"]
    assert found["id_token_signing_alg_values_supported"] == ["RS256"]
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert found["authorization_response_iss_parameter_supported"] is True
    assert found["scopes_supported"] == ["openid", "email"]
    assert {"sub", "email", "email_verified"} <= set(found["claims_supported"])
    assert "groups" not in found["claims_supported"]


def test_what_would_mean_yes_if_left_out_is_denied() -> None:
    assert document(OFFER)["request_uri_parameter_supported"] is False


@pytest.mark.parametrize(
    "name",
    [
        "end_session_endpoint",
        "revocation_endpoint",
        "revocation_endpoint_auth_methods_supported",
        "introspection_endpoint",
        "introspection_endpoint_auth_methods_supported",
        "registration_endpoint",
        "pushed_authorization_request_endpoint",
        "device_authorization_endpoint",
        "backchannel_logout_supported",
        "backchannel_logout_session_supported",
        "acr_values_supported",
        "ui_locales_supported",
        "token_endpoint_auth_signing_alg_values_supported",
    ],
)
def test_what_is_off_is_not_told(name: str) -> None:
    assert name not in document(OFFER)
    assert name in document(FULL)


def test_what_is_on_is_told() -> None:
    found = document(FULL)

    assert found["subject_types_supported"] == ["public", "pairwise"]
    assert found["revocation_endpoint_auth_methods_supported"] == [
        "client_secret_basic",
        "private_key_jwt",
        "none",
    ]
    assert "none" not in found["introspection_endpoint_auth_methods_supported"]


def test_endpoints_are_on_the_origin_of_an_issuer_with_a_path() -> None:
    found = document(replace(OFFER, issuer="https://gate.example:8443/sso"))

    assert found["issuer"] == "https://gate.example:8443/sso"
    assert found["token_endpoint"] == "https://gate.example:8443/oauth/token.php"


@pytest.mark.parametrize("issuer", ["http://localhost:8000", "http://[::1]:1", "https://a.b/c/d"])
def test_an_issuer_may_be(issuer: str) -> None:
    assert checked_issuer(issuer) == issuer


@pytest.mark.parametrize(
    "issuer",
    [
        pytest.param("", id="empty"),
        pytest.param("http://gate.example", id="without TLS"),
        pytest.param("https://gate.example/", id="slash at the end"),
        pytest.param("https://gate.example/sso/", id="slash after a path"),
        pytest.param("https://Gate.example", id="upper case"),
        pytest.param("https://gate.example?x", id="query"),
        pytest.param("https://gate.example#x", id="fragment"),
        pytest.param("https://a@gate.example", id="user part"),
        pytest.param("https://gate.example\n", id="line end"),
    ],
)
def test_nothing_else_is_an_issuer(issuer: str) -> None:
    with pytest.raises(ValueError, match="issuer"):
        discovery(replace(OFFER, issuer=issuer))
