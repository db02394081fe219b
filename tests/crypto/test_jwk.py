"""Keys and tokens: one algorithm a key, one purpose a token, nothing believed unsigned."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from ssogate.crypto.jwk import (
    _DRAW,
    ALGORITHMS,
    MAX_TOKEN,
    Algorithm,
    BadToken,
    PublicKey,
    SigningKey,
    generate,
    jwks,
    load,
    pem,
    public_key,
    thumbprint,
    verify,
)

NOW = 1_700_000_000
KEYS: Mapping[Algorithm, SigningKey] = {alg: generate(alg) for alg in ALGORITHMS}
KEY = KEYS["ES256"]
ISSUER, CLIENT = "https://gate.example", "cpanel"
CLAIMS: Mapping[str, Any] = {"iss": ISSUER, "aud": CLIENT, "exp": NOW + 300, "iat": NOW}

# RFC 7638, section 3.1.
RFC_7638 = {
    "kty": "RSA",
    "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJ"
    "ECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2Qvz"
    "qY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0"
    "fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    "e": "AQAB",
    "alg": "RS256",
    "kid": "2011-04-29",
}
# RFC 8037, appendix A.3.
RFC_8037 = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}


def judged(token: str, *keys: PublicKey, **changed: Any) -> Mapping[str, Any]:
    given: dict[str, Any] = {
        "issuer": ISSUER,
        "audience": frozenset({CLIENT}),
        "types": frozenset({"JWT"}),
        "now": NOW,
    }
    return verify(token, keys or [KEY.public], **(given | changed))


def part(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def assembled(header: object, payload: object, key: SigningKey = KEY) -> str:
    """A token with a good signature over any header and payload at all."""
    signed = f"{part(header)}.{part(payload)}"
    algorithm = jwt.get_algorithm_by_name(key.alg)
    return f"{signed}.{part(algorithm.sign(signed.encode(), key.key))}"


def header(**changed: object) -> dict[str, object]:
    return {"alg": KEY.alg, "kid": KEY.kid, "typ": "JWT", **changed}


def without(name: str) -> dict[str, object]:
    return {key: value for key, value in header().items() if key != name}


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_what_a_key_signs_its_public_half_verifies(alg: Algorithm) -> None:
    key = KEYS[alg]

    token = key.sign(CLAIMS, typ="JWT")

    assert judged(token, key.public) == CLAIMS
    assert jwt.get_unverified_header(token) == {"alg": alg, "kid": key.kid, "typ": "JWT"}


def test_a_kid_is_never_taken_for_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    many = (Ed25519PrivateKey.generate() for _ in range(10_000))
    like_an_option = next(key for key in many if thumbprint(key.public_key()).startswith("-"))
    drawn = iter([like_an_option])
    monkeypatch.setitem(_DRAW, "EdDSA", lambda: next(drawn, KEYS["EdDSA"].key))

    assert not generate("EdDSA").kid.startswith("-")


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_another_library_verifies_by_what_is_published(alg: Algorithm) -> None:
    key = KEYS[alg]
    published = jwt.PyJWKSet.from_json(jwks([key.public]).decode())[key.kid]

    found = jwt.decode(
        key.sign(CLAIMS, typ="JWT"),
        published,
        audience=CLIENT,
        options={"verify_exp": False, "verify_iat": False},
    )

    assert found == CLAIMS


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_key_is_the_same_after_it_was_stored(alg: Algorithm) -> None:
    key = KEYS[alg]

    again = load(pem(key))

    assert again.kid == key.kid
    assert judged(again.sign(CLAIMS, typ="JWT"), key.public) == CLAIMS


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_what_is_published_or_shown_is_not_the_private_half(alg: Algorithm) -> None:
    key = KEYS[alg]

    assert set(key.public.jwk()) <= {"kty", "kid", "alg", "use", "n", "e", "crv", "x", "y"}
    assert "object at" not in repr(key)
    assert "key=" not in repr(key)


@pytest.mark.parametrize(
    ("jwk", "expected"),
    [
        pytest.param(RFC_7638, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", id="RFC 7638, 3.1"),
        pytest.param(RFC_8037, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", id="RFC 8037, A.3"),
    ],
)
def test_thumbprints_are_those_of_the_standards(jwk: dict[str, str], expected: str) -> None:
    assert thumbprint(public_key(jwk).key) == expected


def test_a_stranger_may_name_a_key() -> None:
    assert public_key(RFC_7638).kid == "2011-04-29"
    assert public_key(RFC_8037).kid == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


@pytest.mark.parametrize("kid", [None, "", 7, ["x"]])
def test_a_key_without_a_name_is_called_by_its_thumbprint(kid: object) -> None:
    assert public_key({**RFC_8037, "kid": kid}).kid == thumbprint(public_key(RFC_8037).key)


def unpublishable(key: Any) -> str:
    raw: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return raw.decode()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param(
            "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----", id="no key"
        ),
        pytest.param(unpublishable(rsa.generate_private_key(65537, 1024)), id="short RSA"),
        pytest.param(unpublishable(ec.generate_private_key(ec.SECP384R1())), id="another curve"),
        pytest.param(unpublishable(Ed448PrivateKey.generate()), id="Ed448"),
        pytest.param(
            KEY.key.public_key()
            .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            .decode(),
            id="a public key",
        ),
    ],
)
def test_no_other_key_signs(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a private key|neither") as refused:
        load(text)

    assert "c2VjcmV0" not in str(refused.value)


@pytest.mark.parametrize(
    "jwk",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"kty": "oct", "k": "c2VjcmV0"}, id="symmetric"),
        pytest.param({"kty": ["RSA"]}, id="kty is a list"),
        pytest.param(
            {**RFC_8037, "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}, id="private"
        ),
        pytest.param({**RFC_8037, "use": "enc"}, id="for encryption"),
        pytest.param({**RFC_8037, "x": "AAAA"}, id="too short"),
        pytest.param({**RFC_8037, "x": 7}, id="a number"),
        pytest.param({**RFC_8037, "crv": "X25519"}, id="key agreement"),
        pytest.param({**RFC_7638, "alg": "HS256"}, id="alg confusion"),
        pytest.param({**RFC_7638, "alg": "PS256"}, id="an algorithm that is not taken"),
        pytest.param({**RFC_7638, "n": "AQAB"}, id="short RSA"),
        pytest.param({**RFC_7638, "e": "B" * 300 + "AQAB"}, id="slow RSA"),
        pytest.param({**RFC_7638, "e": "AA"}, id="exponent 0"),
        pytest.param({"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"}, id="short point"),
        pytest.param(
            {"kty": "EC", "crv": "P-256", "x": part(b"\x01" * 32), "y": part(b"\x01" * 32)},
            id="not on the curve",
        ),
    ],
)
def test_no_other_key_verifies(jwk: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"key|neither"):
        public_key(jwk)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"exp": NOW - 59}, id="expired within the leeway"),
        pytest.param({"iat": NOW + 60, "nbf": NOW + 60}, id="from a fast clock"),
        pytest.param({"aud": ["other", CLIENT]}, id="one of several audiences"),
        pytest.param({"exp": NOW + 0.5}, id="a fraction of a second"),
    ],
)
def test_takes_what_holds_now(changed: dict[str, object]) -> None:
    claims = {**CLAIMS, **changed}

    assert judged(KEY.sign(claims, typ="JWT")) == claims


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"exp": NOW - 60}, id="expired"),
        pytest.param({"exp": None}, id="no end"),
        pytest.param({"exp": str(NOW + 9)}, id="the end is a text"),
        pytest.param({"exp": True}, id="the end is a truth"),
        pytest.param({"exp": 10**400}, id="the end is no time"),
        pytest.param({"iat": True}, id="iat is a truth"),
        pytest.param({"nbf": NOW + 61}, id="not yet valid"),
        pytest.param({"nbf": None}, id="nbf is null"),
        pytest.param({"iat": NOW + 61}, id="of the future"),
        pytest.param({"iss": ISSUER + "/"}, id="near-miss issuer"),
        pytest.param({"iss": [ISSUER]}, id="issuer in a list"),
        pytest.param({"iss": None}, id="no issuer"),
        pytest.param({"aud": "other"}, id="for another client"),
        pytest.param({"aud": []}, id="for nobody"),
        pytest.param({"aud": {CLIENT: 1}}, id="audience is an object"),
        pytest.param({"aud": [[CLIENT]]}, id="audience is a nested list"),
        pytest.param({"aud": None}, id="no audience"),
    ],
)
def test_refuses_what_is_not_for_us_now(changed: dict[str, object]) -> None:
    with pytest.raises(BadToken):
        judged(KEY.sign({**CLAIMS, **changed}, typ="JWT"))


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="empty"),
        pytest.param("a.b", id="two parts"),
        pytest.param("a.b.c.d", id="four parts"),
        pytest.param(assembled(header(), CLAIMS) + "=", id="padded"),
        pytest.param(assembled(header(), CLAIMS) + "\n", id="line end"),
        pytest.param(assembled(header(), CLAIMS)[:-1] + "é", id="not ASCII"),
        pytest.param(KEY.sign({**CLAIMS, "x": "y" * MAX_TOKEN}, typ="JWT"), id="huge"),
        pytest.param(f"{part(header(alg='none'))}.{part(CLAIMS)}.", id="alg none"),
        pytest.param(f"{part(header(alg='none'))}.{part(CLAIMS)}.AA", id="alg none, signed"),
        pytest.param(assembled(header(alg="NONE"), CLAIMS), id="alg NONE"),
        pytest.param(assembled(header(alg="es256"), CLAIMS), id="alg in lower case"),
        pytest.param(assembled(header(alg="RS256"), CLAIMS), id="another algorithm than the key's"),
        pytest.param(assembled(header(alg=["ES256"]), CLAIMS), id="alg is a list"),
        pytest.param(assembled(without("alg"), CLAIMS), id="no alg"),
        pytest.param(assembled(without("kid"), CLAIMS), id="no kid"),
        pytest.param(assembled(header(kid="unknown"), CLAIMS), id="unknown kid"),
        pytest.param(assembled(header(kid=[KEY.kid]), CLAIMS), id="kid is a list"),
        pytest.param(assembled(without("typ"), CLAIMS), id="no typ"),
        pytest.param(assembled(header(typ="at+jwt"), CLAIMS), id="typ of another purpose"),
        pytest.param(assembled(header(typ=7), CLAIMS), id="typ is a number"),
        pytest.param(assembled(header(crit=["exp"]), CLAIMS), id="crit"),
        pytest.param(assembled(header(crit=[]), CLAIMS), id="empty crit"),
        pytest.param(assembled(header(crit=["b64"], b64=True), CLAIMS), id="crit that PyJWT knows"),
        pytest.param(assembled(header(b64=False), CLAIMS), id="detached"),
        pytest.param(assembled(b"[" * 9000, CLAIMS), id="deep header"),
        pytest.param(assembled([1], CLAIMS), id="header is a list"),
        pytest.param(
            assembled(json.dumps(header()).replace("{", '{"alg":"none",').encode(), CLAIMS),
            id="alg twice",
        ),
        pytest.param(assembled(header(), [1]), id="claims are a list"),
        pytest.param(assembled(header(), b"[" * 9000), id="deep claims"),
        pytest.param(assembled(header(), b"not JSON"), id="claims are no JSON"),
        pytest.param(assembled(header(), b'{"exp": NaN}'), id="NaN"),
        pytest.param(assembled(header(), json.dumps(CLAIMS).encode("utf-16")), id="UTF-16"),
        pytest.param(assembled(header(), CLAIMS, generate("ES256")), id="another key's signature"),
        pytest.param(
            assembled(header(), CLAIMS, KEYS["EdDSA"]), id="another algorithm's signature"
        ),
    ],
)
def test_refuses_what_is_not_genuine(token: str) -> None:
    with pytest.raises(BadToken):
        judged(token, *(key.public for key in KEYS.values()))


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"crit": ["exp"]}, id="crit"),
        pytest.param({"crit": []}, id="empty crit"),
        pytest.param({"b64": True}, id="b64"),
    ],
)
def test_extensions_are_refused_before_the_signature_is_looked_at(more: dict[str, object]) -> None:
    with pytest.raises(BadToken, match="extension"):
        judged(f"{part(header(**more))}.{part(CLAIMS)}.AA")


def test_a_token_may_be_as_long_as_the_limit() -> None:
    lengths = (KEY.sign({**CLAIMS, "x": "y" * n}, typ="JWT") for n in range(11_900, 12_200))
    longest = max((token for token in lengths if len(token) <= MAX_TOKEN), key=len)

    assert len(longest) == MAX_TOKEN
    assert judged(longest)


def test_a_public_key_is_no_password() -> None:
    """RFC 8725, section 2.1: a token signed by HMAC with the text of our public key."""
    secret = KEY.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signed = f"{part(header(alg='HS256'))}.{part(CLAIMS)}"
    forged = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)

    with pytest.raises(BadToken, match="no such key"):
        judged(f"{signed}.{part(forged.sign(signed.encode(), secret))}")


def test_claims_are_not_parsed_before_the_signature_is_right() -> None:
    head, _, signature = KEY.sign(CLAIMS, typ="JWT").split(".")

    with pytest.raises(BadToken, match="InvalidSignatureError"):
        judged(f"{head}.{part(b'not JSON')}.{signature}")


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt"])
def test_a_typ_is_a_media_type(typ: str) -> None:
    assert judged(assembled(header(typ=typ), CLAIMS), types=frozenset({"at+jwt"})) == CLAIMS


def test_a_token_without_a_typ_is_taken_where_it_is_told() -> None:
    token = assembled(without("typ"), CLAIMS)

    assert judged(token, types=frozenset({"", "JWT"})) == CLAIMS


def test_a_hint_counts_for_a_while_after_its_end() -> None:
    token = KEY.sign(CLAIMS, typ="JWT")
    end = NOW + 300 + 60

    assert judged(token, now=end + 999, expired_for=1000)
    with pytest.raises(BadToken, match="expired"):
        judged(token, now=end + 1000, expired_for=1000)


def test_the_caller_may_judge_the_audience() -> None:
    assert judged(KEY.sign({**CLAIMS, "aud": "other"}, typ="JWT"), audience=None)


def test_a_kid_alone_does_not_choose_a_key() -> None:
    """Another algorithm under our kid is another key."""
    disguised = replace(KEYS["EdDSA"].public, kid=KEY.kid)

    assert judged(KEY.sign(CLAIMS, typ="JWT"), disguised, KEY.public) == CLAIMS


@given(text=st.text(max_size=200))
def test_no_text_is_a_token(text: str) -> None:
    with pytest.raises(BadToken):
        judged(text)


def _with_bit(raw: bytes, bit: int) -> bytes:
    return (int.from_bytes(raw) ^ (1 << bit % (8 * len(raw)))).to_bytes(len(raw))


@given(
    alg=st.sampled_from(ALGORITHMS),
    which=st.integers(0, 2),
    spoil=st.one_of(
        st.integers(0, 4000).map(lambda bit: lambda raw: _with_bit(raw, bit)),
        st.binary(min_size=1, max_size=3).map(lambda more: lambda raw: raw + more),
        st.just(lambda raw: raw[:-1]),
    ),
)
def test_a_token_with_a_changed_bit_is_none(
    alg: Algorithm, which: int, spoil: Callable[[bytes], bytes]
) -> None:
    parts = KEYS[alg].sign(CLAIMS, typ="JWT").split(".")
    padded = parts[which] + "=" * (-len(parts[which]) % 4)
    parts[which] = part(spoil(urlsafe_b64decode(padded)))

    with pytest.raises(BadToken):
        judged(".".join(parts), KEYS[alg].public)
