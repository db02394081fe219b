"""What programs are told of the provider is what it does."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ssogate.crypto.jwk import public_key
from ssogate.directory.signing_keys import REREAD, RIPENS
from ssogate.errors import StoreFailure
from ssogate.provider import addresses as at
from ssogate.provider.discovery import KEYS_AGE
from ssogate.storage import SQLiteStore
from tests.provider.making_openid import ISSUER
from tests.provider.making_tokens import Programs

PLACES = (*at.DISCOVERY, at.METADATA)


def document(programs: Programs, path: str = PLACES[0]) -> dict[str, Any]:
    response = programs.post(path, method="GET")
    assert response.status_code == 200
    found: dict[str, Any] = response.get_json()
    return found


def test_the_document_is_the_same_at_each_address(programs: Programs) -> None:
    first, *others = (document(programs, path) for path in PLACES)

    assert all(other == first for other in others)
    assert first["issuer"] == ISSUER


def test_every_address_in_it_is_served(programs: Programs) -> None:
    told = document(programs)

    named = {value for name, value in told.items() if name.endswith(("_endpoint", "_uri"))}
    assert len(named) >= 6
    for address in named:
        assert address.removeprefix(ISSUER) in programs.table
    assert told["jwks_uri"] == f"{ISSUER}{at.JWKS}"
    assert told["userinfo_endpoint"] == f"{ISSUER}{at.USERINFO}"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("registration_endpoint", at.REGISTRATION),
        ("pushed_authorization_request_endpoint", at.PUSHED_AUTHORIZATION),
        ("device_authorization_endpoint", at.DEVICE_AUTHORIZATION),
        ("end_session_endpoint", at.END_SESSION),
    ],
)
def test_what_is_not_served_is_not_named(programs: Programs, name: str, path: str) -> None:
    assert (name in document(programs)) is (path in programs.table)


def test_every_grant_in_it_is_answered(programs: Programs) -> None:
    told = document(programs)

    assert {"authorization_code", "refresh_token", "client_credentials"} <= {
        *told["grant_types_supported"]
    }
    assert "single_sign_on" not in told["grant_types_supported"]
    for grant in told["grant_types_supported"]:
        assert programs.ask(grant_type=grant).get_json()["error"] != "unsupported_grant_type"
    assert told["response_types_supported"] == ["code"]
    assert told["code_challenge_methods_supported"] == ["S256"]
    assert told["subject_types_supported"] == ["public"]
    assert {"openid", "email", "offline_access", "api:read"} <= {*told["scopes_supported"]}
    ways = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"]
    assert told["token_endpoint_auth_methods_supported"] == ways


def test_an_issuer_may_have_a_path_of_its_own(store: SQLiteStore) -> None:
    programs = Programs(store)
    programs.issuer = replace(programs.issuer, name="https://login.example/club")
    programs.table = programs.endpoints()

    for path in (
        *PLACES,
        "/club/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server/club",
    ):
        told = document(programs, path)
        assert told["issuer"] == "https://login.example/club"
        assert told["token_endpoint"] == f"{ISSUER}{at.TOKEN}"


def test_the_keys_are_those_that_tokens_are_signed_with(programs: Programs) -> None:
    response = programs.post(at.JWKS, method="GET")

    (jwk,) = response.get_json()["keys"]
    assert public_key(jwk) == programs.issuer.keys.signing("RS256").public
    assert not {"d", "p", "q", "dp", "dq", "qi"} & jwk.keys()


def test_a_copy_of_the_keys_is_never_older_than_a_key_that_signs(programs: Programs) -> None:
    response = programs.post(at.JWKS, method="GET")

    assert response.headers["Cache-Control"] == f"public, max-age={KEYS_AGE}"
    assert KEYS_AGE + REREAD <= RIPENS


@pytest.mark.parametrize("path", [*PLACES, at.JWKS])
def test_everybody_may_read_and_keep_a_copy(programs: Programs, path: str) -> None:
    response = programs.post(path, method="GET", Origin="https://spa.example")

    assert response.mimetype == "application/json"
    assert response.headers["Cache-Control"].startswith("public, max-age=")
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in response.headers
    assert "Set-Cookie" not in response.headers
    assert json.loads(response.get_data())


@pytest.mark.parametrize("path", [*PLACES, at.JWKS])
def test_head_and_no_other_method(programs: Programs, path: str) -> None:
    assert programs.post(path, method="HEAD").status_code == 200
    refused = programs.post(path, method="POST")
    assert refused.status_code == 405
    assert refused.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", [*PLACES, at.JWKS, at.TOKEN, at.USERINFO, at.REVOCATION])
def test_a_browser_asks_first_and_may(programs: Programs, path: str) -> None:
    response = programs.post(
        path,
        method="OPTIONS",
        Origin="https://spa.example",
        Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="authorization",
    )

    assert response.status_code == 204
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "POST" in response.headers["Access-Control-Allow-Methods"]
    assert "Authorization" in response.headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in response.headers


def test_no_script_reads_what_is_for_apis(programs: Programs) -> None:
    response = programs.post(at.INTROSPECTION, method="GET", Origin="https://spa.example")

    assert "Access-Control-Allow-Origin" not in response.headers


def test_an_error_can_be_read_by_scripts_too(programs: Programs) -> None:
    response = programs.ask(grant_type="nonsense")

    assert response.status_code == 400
    assert response.headers["Access-Control-Allow-Origin"] == "*"


def test_a_store_that_fails_publishes_nothing(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(now: int) -> None:
        raise StoreFailure("busy")

    monkeypatch.setattr(programs.store.sealed_keys, "published", busy)
    response = programs.post(at.JWKS, method="GET")

    assert response.status_code == 503
    assert response.headers["Cache-Control"] == "no-store"
