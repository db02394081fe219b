"""Secrets that a machine drew: what is stored of them, and what is one."""

from __future__ import annotations

import pytest

from ssogate.crypto.random_secrets import NOBODYS, digest, matches


def test_what_is_stored_is_sha_256() -> None:
    """The test vector of FIPS 180-2, appendix B.1."""
    assert digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("secret", ["abc", "a+b/c==", "é", "a" * 100_000, "\udc80"])
def test_a_secret_matches_its_own_digest(secret: str) -> None:
    assert matches(secret, digest(secret))


@pytest.mark.parametrize(
    ("secret", "stored"),
    [
        pytest.param("abd", digest("abc"), id="another"),
        pytest.param("ABC", digest("abc"), id="another case"),
        pytest.param("ab", digest("abc"), id="truncated"),
        pytest.param("abc", digest("abc").upper(), id="another spelling of the digest"),
        pytest.param(digest("abc"), digest("abc"), id="the digest itself"),
        pytest.param("", digest(""), id="empty"),
        pytest.param("", "", id="nothing stored"),
        pytest.param("abc", "", id="no digest"),
        pytest.param("abc", NOBODYS, id="nobody's"),
        pytest.param("é", "é", id="not ASCII"),
    ],
)
def test_anything_else_does_not(secret: str, stored: str) -> None:
    assert not matches(secret, stored)
