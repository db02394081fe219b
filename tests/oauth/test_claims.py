"""What a client learns: what its scopes say, and no more."""

from __future__ import annotations

from typing import Any

import pytest

from ssogate.crypto.jwk import ALGORITHMS
from ssogate.model import Identity
from ssogate.oauth.claims import (
    id_token_claims,
    known,
    left_hash,
    pairwise_sub,
    sector,
    told,
)

ANN = Identity(
    subject="9b2e",
    username="Ann",
    canonical="ann",
    name="Ann Maria Lee",
    email="ann@example.com",
    groups=frozenset({"staff", "admins"}),
)
ALL = known(ANN, email_verified=True)
EVERY_SCOPE = ("openid", "profile", "email", "groups")


def test_all_that_the_gate_knows() -> None:
    assert ALL == {
        "name": "Ann Maria Lee",
        "given_name": "Ann",
        "family_name": "Maria Lee",
        "preferred_username": "Ann",
        "email": "ann@example.com",
        "email_verified": True,
        "groups": ["admins", "staff"],
    }


def test_what_is_empty_is_not_claimed() -> None:
    nobody = Identity(subject="9b2e", username="ann", canonical="ann")

    assert known(nobody, email_verified=True) == {"preferred_username": "ann"}


@pytest.mark.parametrize(
    ("scopes", "expected"),
    [
        pytest.param((), set(), id="none"),
        pytest.param(("openid",), set(), id="openid says nothing of a person"),
        pytest.param(("openid", "email"), {"email", "email_verified"}, id="email"),
        pytest.param(("groups",), {"groups"}, id="groups"),
        pytest.param(("unheard_of",), set(), id="unknown"),
        pytest.param(EVERY_SCOPE, set(ALL), id="all"),
    ],
)
def test_scopes_choose(scopes: tuple[str, ...], expected: set[str]) -> None:
    assert set(told(ALL, scopes=scopes, allowed=EVERY_SCOPE)) == expected


def test_a_claim_may_be_named_without_its_scope() -> None:
    found = told(ALL, scopes=("openid",), named=("email", "nickname"), allowed=EVERY_SCOPE)

    assert found == {"email": "ann@example.com"}


def test_naming_a_claim_is_no_way_around_the_clients_scopes() -> None:
    assert not told(ALL, scopes=("openid",), named=tuple(ALL), allowed=("openid",))


def test_an_operator_may_map_claims_to_other_scopes() -> None:
    by_scope = {"team": frozenset({"groups"})}

    found = told(ALL, scopes=("team", "email"), allowed=("team",), by_scope=by_scope)

    assert found == {"groups": ["admins", "staff"]}


def id_token(**more: Any) -> dict[str, object]:
    found = id_token_claims(
        issuer="https://gate.example",
        subject="9b2e",
        client_id="cpanel",
        issued_at=1000,
        lifetime=300,
        auth_time=900,
        **more,
    )
    return dict(found)


def test_an_id_token_says_the_least() -> None:
    assert id_token() == {
        "iss": "https://gate.example",
        "sub": "9b2e",
        "aud": "cpanel",
        "iat": 1000,
        "exp": 1300,
        "auth_time": 900,
    }


def test_an_id_token_says_all_that_was_asked() -> None:
    asked = {"nonce": "n", "acr": "1", "amr": ["pwd", "otp"], "sid": "s", "at_hash": "h"}

    assert id_token(**asked, about=ALL) == id_token() | asked | dict(ALL)


@pytest.mark.parametrize("name", ["sub", "aud", "exp", "nonce", "acr", "sid", "azp", "nbf"])
def test_what_is_said_of_a_person_is_not_said_of_the_sign_in(name: str) -> None:
    assert id_token(about={name: "forged"}) == id_token()


def test_the_hashes_of_the_standard() -> None:
    """OpenID Connect Core, appendices A.3 and A.4."""
    token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"
    code = "Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk"

    assert left_hash(token, "RS256") == left_hash(token, "ES256") == "77QmUPtjPfzWtF2AnpK9RQ"
    assert left_hash(code, "RS256") == "LDktKdoQak3Pk0cnXxCltA"


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_hash_is_half_of_the_algorithms(alg: Any) -> None:
    assert len(left_hash("x", alg)) == (43 if alg == "EdDSA" else 22)


def test_a_pairwise_subject_is_stable_and_of_one_sector() -> None:
    salt = b"s" * 32
    one = pairwise_sub("app.example", "9b2e", salt)

    assert one == pairwise_sub("app.example", "9b2e", salt)
    others = {
        pairwise_sub("other.example", "9b2e", salt),
        pairwise_sub("app.example", "9b2f", salt),
        pairwise_sub("app.example", "9b2e", b"t" * 32),
        pairwise_sub("app.example9", "b2e", salt),
        one,
    }
    assert len(others) == 5
    assert "9b2e" not in one


def test_a_sector_is_the_one_host() -> None:
    assert sector(["https://app.example/a", "https://App.example:8443/b"]) == "app.example"


@pytest.mark.parametrize(
    "uris",
    [
        pytest.param([], id="none"),
        pytest.param(["https://a.example", "https://b.example"], id="two hosts"),
        pytest.param(["com.example.app:/cb"], id="no host"),
        pytest.param(["https://a.example", "com.example.app:/cb"], id="one of two has none"),
    ],
)
def test_there_is_no_sector_without_one_host(uris: list[str]) -> None:
    with pytest.raises(ValueError, match="exactly one host"):
        sector(uris)
