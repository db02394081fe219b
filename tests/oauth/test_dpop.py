"""Proofs of possession, with RFC 9449's own example and all that a thief could send instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jwt
import pytest

from ssogate.crypto.jwk import BadToken, SigningKey, generate
from ssogate.oauth.dpop import LEEWAY, proven

URL = "https://server.example.com/token"
NOW = 1562262616  # of the RFC's example
TOKEN = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"

# RFC 9449, section 4.2 (figure 2) and section 7.1 (figure 12).
EXAMPLE = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNo"
    "UklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERW"
    "clUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh"
    "0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8"
    "v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
)
EXAMPLE_JKT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"

KEY = generate("ES256")
CLAIMS = {"jti": "0123456789abcdef", "htm": "POST", "htu": URL, "iat": NOW}


def made(
    claims: Mapping[str, object] = CLAIMS,
    *,
    key: SigningKey = KEY,
    jwk: object = None,
    alg: str = "",
    typ: str = "dpop+jwt",
) -> str:
    headers = {"typ": typ, "jwk": jwk or key.public.jwk()}
    secret: Any = key.key if not alg else b"0" * 32
    return jwt.encode(dict(claims), secret, alg or key.alg, headers=headers)


def judged(proof: str, **changed: Any) -> str:
    asked = {"method": "POST", "url": URL, "now": NOW, **changed}
    return proven(proof, **asked).jkt


def test_the_example_of_the_rfc_is_right() -> None:
    assert judged(EXAMPLE) == EXAMPLE_JKT


@pytest.mark.parametrize("alg", ["ES256", "RS256", "EdDSA"])
def test_each_kind_of_key_can_prove(alg: Any) -> None:
    key = generate(alg)
    assert judged(made(key=key)) == key.kid


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("https://server.example.com:443/token", id="usual-port"),
        pytest.param("https://SERVER.example.com/token", id="case-of-host"),
        pytest.param("https://server.example.com/token?x=1#y", id="query-and-fragment"),
    ],
)
def test_an_address_has_more_than_one_spelling(url: str) -> None:
    assert judged(made({**CLAIMS, "htu": url})) == KEY.kid


def test_a_proof_is_made_for_one_token() -> None:
    # RFC 9449, section 7.1: the hash of that token.
    proof = made({**CLAIMS, "ath": "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"})
    assert judged(proof, access_token=TOKEN) == KEY.kid
    with pytest.raises(BadToken, match="another token"):
        judged(proof, access_token=TOKEN + "x")


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        pytest.param({"htm": "GET"}, "another request", id="method"),
        pytest.param({"htm": "post"}, "another request", id="case-of-method"),
        pytest.param({"htu": "https://server.example.com/other"}, "another request", id="path"),
        pytest.param({"htu": "http://server.example.com/token"}, "another request", id="scheme"),
        pytest.param({"htu": "https://server.example.com:8443/token"}, "another", id="port"),
        pytest.param({"htu": "https://evil@server.example.com/token"}, "another", id="user"),
        pytest.param({"htu": "https://server.example.com:x/token"}, "another", id="no-port"),
        pytest.param({"htu": 7}, "another request", id="number"),
        pytest.param({"iat": NOW - LEEWAY - 1}, "not from now", id="old"),
        pytest.param({"iat": NOW + LEEWAY + 1}, "not from now", id="future"),
        pytest.param({"iat": True}, "not from now", id="truth"),
        pytest.param({"iat": str(NOW)}, "not from now", id="text"),
        pytest.param({"jti": "short"}, "jti", id="short-jti"),
        pytest.param({"jti": "x" * 257}, "jti", id="long-jti"),
        pytest.param({"jti": 12345678}, "jti", id="jti-number"),
    ],
)
def test_another_request_s_proof_proves_nothing(changed: dict[str, object], why: str) -> None:
    with pytest.raises(BadToken, match=why):
        judged(made({**CLAIMS, **changed}))


@pytest.mark.parametrize("name", sorted(CLAIMS))
def test_nothing_may_be_left_out(name: str) -> None:
    with pytest.raises(BadToken):
        judged(made({key: value for key, value in CLAIMS.items() if key != name}))


@pytest.mark.parametrize(
    "proof",
    [
        pytest.param(made(typ="JWT"), id="another-typ"),
        pytest.param(made(jwk=generate("ES256").public.jwk()), id="another-key"),
        pytest.param(made(jwk=generate("RS256").public.jwk()), id="another-algorithm"),
        pytest.param(made(jwk={**KEY.public.jwk(), "d": "AAAA"}), id="private-key"),
        pytest.param(made(jwk={"kty": "oct", "k": "MDAwMA"}, alg="HS256"), id="hmac"),
        pytest.param(made(jwk="kid"), id="no-key"),
        pytest.param("a.b.c", id="nonsense"),
        pytest.param(made({**CLAIMS, "x": "y" * 4096}), id="long"),
    ],
)
def test_what_no_key_has_signed_proves_nothing(proof: str) -> None:
    with pytest.raises(BadToken):
        judged(proof)


def test_the_same_proof_is_known_again() -> None:
    first, second = (
        proven(made(), method="POST", url=URL, now=NOW),
        proven(made({**CLAIMS, "iat": NOW + 1}), method="POST", url=URL, now=NOW),
    )
    assert first.once == second.once
    assert proven(made(key=generate("ES256")), method="POST", url=URL, now=NOW).once != first.once
    assert first.until > NOW + LEEWAY
