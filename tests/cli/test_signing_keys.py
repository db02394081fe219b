from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.conftest import Site
from tests.cli.making import with_sealing_key


@pytest.fixture
def provider(site: Site) -> Site:
    with_sealing_key(site)
    site.edit("upstreams:", "provider: {algorithms: [RS256, ES256]}\nupstreams:")
    return site


def listed(site: Site) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(site.good("keys", "list", "--json"))
    return found


def test_a_key_is_made_for_each_algorithm(provider: Site) -> None:
    assert listed(provider) == []

    said = provider.good("keys", "rotate")

    keys = listed(provider)
    assert {key["alg"] for key in keys} == {"RS256", "ES256"}
    assert {key["state"] for key in keys} == {"signing"}, "there is no other"
    assert all(f"{key['alg']} {key['kid']} signs" in said for key in keys)
    assert "signing-key.made" in provider.good("activity", "list")


def test_the_key_of_one_algorithm_is_followed_by_another(provider: Site) -> None:
    provider.good("keys", "rotate")
    provider.good("keys", "rotate", "--alg", "ES256")

    states = sorted((key["alg"], key["state"]) for key in listed(provider))
    assert states == [("ES256", "next"), ("ES256", "signing"), ("RS256", "signing")]
    shown = provider.good("keys", "list")
    assert shown.splitlines()[0].split() == ["KID", "ALG", "STATE", "MADE", "PUBLISHED", "UNTIL"]
    assert "next" in shown
    assert "PRIVATE" not in shown


def test_a_stolen_key_is_dropped(provider: Site) -> None:
    provider.good("keys", "rotate", "--alg", "ES256")
    (stolen,) = listed(provider)

    said = provider.good("keys", "drop", stolen["kid"])

    assert stolen["kid"] in said
    (key,) = listed(provider)
    assert key["kid"] != stolen["kid"]
    assert key["state"] == "signing"
    assert "signing-key.dropped" in provider.good("activity", "list")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(("drop", "nobodys"), "there is no signing key", id="an unknown key"),
        pytest.param(("rotate", "--alg", "EdDSA"), "has no EdDSA", id="not configured"),
        pytest.param(("rotate", "--alg", "HS256"), "HS256", id="no algorithm of ours"),
    ],
)
def test_what_cannot_be_is_refused(provider: Site, arguments: tuple[str, ...], told: str) -> None:
    result = provider.run("keys", *arguments)

    assert result.exit_code == 2
    assert told in result.stderr
    assert listed(provider) == []


@pytest.mark.parametrize("command", [("rotate",), ("list",), ("drop", "x")])
def test_a_gate_that_is_no_provider_has_no_signing_keys(
    site: Site, command: tuple[str, ...]
) -> None:
    result = site.run("keys", *command)

    assert result.exit_code == 2
    assert "no OpenID Connect provider" in result.stderr
