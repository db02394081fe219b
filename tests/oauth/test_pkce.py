"""PKCE: only S256, only whole verifiers, only the one that was hashed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssogate.oauth.pkce import challenge_of, is_challenge, is_verifier

# RFC 7636, appendix B.
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

UNRESERVED = "ABCXYZabcxyz0189-._~"
VERIFIERS = st.text(UNRESERVED, min_size=43, max_size=128)


def test_the_example_of_the_standard() -> None:
    assert challenge_of(VERIFIER) == CHALLENGE
    assert is_challenge(CHALLENGE)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("a" * 42, id="too short"),
        pytest.param("a" * 129, id="too long"),
        pytest.param(VERIFIER + "+", id="another sign"),
        pytest.param(VERIFIER + "\n", id="line end"),
        pytest.param(VERIFIER[:-1] + "é", id="not ASCII"),
        pytest.param(VERIFIER[:-1] + "\N{ARABIC-INDIC DIGIT ONE}", id="another digit"),
    ],
)
def test_refuses_what_is_no_verifier(text: str) -> None:
    assert not is_verifier(text)
    with pytest.raises(ValueError, match="43 to 128"):
        challenge_of(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param(CHALLENGE[:-1], id="too short"),
        pytest.param(CHALLENGE + "A", id="too long"),
        pytest.param(CHALLENGE + "=", id="padded"),
        pytest.param(CHALLENGE[:-1] + "N", id="no encoding of 32 bytes"),
        pytest.param(CHALLENGE.replace("-", "+"), id="the other alphabet"),
        pytest.param(CHALLENGE + "\n", id="line end"),
    ],
)
def test_refuses_what_is_no_challenge(text: str) -> None:
    assert not is_challenge(text)


def test_a_verifier_is_not_its_own_challenge() -> None:
    """The method `plain`, by another name."""
    assert challenge_of(CHALLENGE) != CHALLENGE


@given(one=VERIFIERS, other=VERIFIERS)
def test_a_challenge_has_one_verifier(one: str, other: str) -> None:
    assert is_challenge(challenge_of(one))
    assert (challenge_of(other) == challenge_of(one)) == (one == other)
