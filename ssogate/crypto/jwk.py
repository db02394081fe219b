"""Keys that sign tokens, and tokens judged by keys (RFC 7515, 7517, 7519, 8725).

A key has one algorithm, for ever: what a token says of its own only chooses among the keys given,
and never how one of them is used. Key objects are made once: to parse a PEM takes 40 ms.
"""

from __future__ import annotations

import hashlib
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, cast, get_args

from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPublicKey,
)
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.api_jws import PyJWS
from jwt.exceptions import PyJWTError

from ssogate.http.json_object import json_object

Algorithm = Literal["RS256", "ES256", "EdDSA"]
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)

MAX_TOKEN = 16_384  # characters; ours have a few hundred, a person in many groups a few thousand
LEEWAY = 60  # seconds that two clocks may differ by (RFC 8725 leaves it to us; OpenID: minutes)

_RSA_BITS = 2048  # NIST SP 800-57: enough until 2030, and three times as fast as 3072
# Above, one verification of a stranger's key costs milliseconds.
_RSA_RANGE = range(2048, 8193)
_RSA_E = 2**32

_Private = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey
_Public = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey

_SHAPE = re.compile(r"[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]+")
_DRAW: Mapping[Algorithm, Callable[[], _Private]] = {
    "RS256": partial(generate_rsa, 65537, _RSA_BITS),
    "ES256": partial(generate_ec, SECP256R1()),
    "EdDSA": Ed25519PrivateKey.generate,
}
_READERS: Mapping[str, Callable[[dict[str, Any]], object]] = {
    "RSA": RSAAlgorithm.from_jwk,
    "EC": ECAlgorithm.from_jwk,
    "OKP": OKPAlgorithm.from_jwk,
}
# What a public key is made of, and nothing else of it: the members of RFC 7638, section 3.2.
_MEMBERS = {"RSA": ("e", "n"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
_JWS = PyJWS(algorithms=ALGORITHMS)


class BadToken(Exception):
    """A token that is not genuine, not for us, or not of now. Says which, for the log."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What verifies: ours, or one that a client has registered."""

    kid: str
    alg: Algorithm
    key: _Public = field(repr=False)

    def jwk(self) -> dict[str, str]:
        """Give it as RFC 7517 writes it."""
        return {**_numbers(self.key), "kid": self.kid, "alg": self.alg, "use": "sig"}


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One of our own keys. Built by `generate` and `load`."""

    key: _Private = field(repr=False)
    public: PublicKey

    @property
    def kid(self) -> str:
        return self.public.kid

    @property
    def alg(self) -> Algorithm:
        return self.public.alg

    def sign(self, claims: Mapping[str, object], *, typ: str) -> str:
        """Give a token in the compact form. `typ` says what it is for (RFC 8725, section 3.11)."""
        payload = json.dumps(claims, separators=(",", ":"), allow_nan=False).encode()
        return _JWS.encode(payload, self.key, self.alg, headers={"typ": typ, "kid": self.kid})


def generate(alg: Algorithm) -> SigningKey:
    """Make a key by the operating system's randomness. RS256 takes a tenth of a second.

    Its `kid` does not start with a hyphen: who types it as a command's argument means no option.
    """
    while (drawn := _signing(_DRAW[alg]())).kid.startswith("-"):
        pass
    return drawn


def load(pem: str) -> SigningKey:
    """Read a private key in PKCS #8. Raises ValueError, which does not repeat any of it."""
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError):
        raise ValueError("not a private key in PEM without a passphrase") from None
    if not isinstance(key, _Private):
        raise ValueError("neither an RSA key, one of P-256, nor Ed25519")
    return _signing(key)


def pem(key: SigningKey) -> str:
    """Give the private key for `load`: to be sealed before it is stored."""
    raw = key.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return raw.decode()


def public_key(jwk: Mapping[str, object]) -> PublicKey:
    """Read a key that somebody else has published. Its `kid` is its thumbprint if it names none.

    Raises ValueError for a key that is not public, not for signatures, or not one of ours' kinds.
    """
    kty, kid = str(jwk.get("kty", "")), jwk.get("kid")
    members = {name: jwk.get(name) for name in _MEMBERS.get(kty, ())}
    if not members or not all(isinstance(value, str) for value in members.values()):
        raise ValueError("not a public RSA, EC or OKP key")
    if "d" in jwk or jwk.get("use", "sig") != "sig":
        raise ValueError("a private key, or one that is not for signatures")
    try:
        found = _READERS[kty]({"kty": kty, **members})
    except (PyJWTError, ValueError, TypeError):
        raise ValueError("a key with impossible numbers") from None
    alg, key = _algorithm(found), cast(_Public, found)
    if jwk.get("alg", alg) != alg:
        raise ValueError("a key for an algorithm that is not taken here")
    return PublicKey(kid if isinstance(kid, str) and kid else thumbprint(key), alg, key)


def jwks(keys: Iterable[PublicKey]) -> bytes:
    """Give the document that publishes keys (RFC 7517, section 5)."""
    return json.dumps({"keys": [key.jwk() for key in keys]}).encode()


def thumbprint(key: _Public) -> str:
    """Give RFC 7638's name of a key: SHA-256 of its numbers, in base64url."""
    canonical = json.dumps(_numbers(key), separators=(",", ":"), sort_keys=True)
    return urlsafe_b64encode(hashlib.sha256(canonical.encode()).digest()).rstrip(b"=").decode()


def verify(
    token: str,
    keys: Iterable[PublicKey],
    *,
    issuer: str,
    audience: frozenset[str] | None,
    types: frozenset[str],
    now: float,
    leeway: int = LEEWAY,
    expired_for: int = 0,
) -> Mapping[str, Any]:
    """Give the claims of a token that one of `keys` signed, for one of `audience`, and that holds
    at `now` (Unix seconds, give or take `leeway`).

    `audience` is None where the caller judges it. `types` are the `typ` that it may have; the empty
    one is that of a token without. `expired_for` are the seconds since its end for which it counts
    nevertheless: an id_token_hint is a hint, not a key. Raises `BadToken`.
    """
    claims = _signed_claims(token, _chosen_key(token, keys, types))
    _judge_parties(claims, issuer, audience)
    _judge_times(claims, now, leeway, expired_for)
    return claims


def self_signed(token: str, *, typ: str) -> tuple[PublicKey, Mapping[str, Any]]:
    """Give the key in a token's own header and the claims that it signed: whoever made the token
    has that key, and nothing else is proven. Raises `BadToken`."""
    header = _header(token, frozenset({typ}))
    jwk = header.get("jwk")
    try:
        key = public_key(jwk if isinstance(jwk, dict) else {})
    except ValueError as error:
        raise BadToken(f"its key: {error}") from None
    if header.get("alg") != key.alg:
        raise BadToken("another algorithm than the key's")
    return key, _signed_claims(token, key)


def _signed_claims(token: str, key: PublicKey) -> dict[str, Any]:
    try:
        signed = _JWS.decode_complete(token, cast(Any, key.key), algorithms=[key.alg])
        return json_object(signed["payload"])
    except (PyJWTError, ValueError) as error:
        raise BadToken(f"not genuine, or no claims: {type(error).__name__}") from None


def _header(token: str, types: frozenset[str]) -> Mapping[str, Any]:
    """Read what says how to judge a token; nothing of it is to be believed."""
    if len(token) > MAX_TOKEN or not _SHAPE.fullmatch(token):
        raise BadToken("not three parts in base64url, or too long")
    encoded = token.partition(".")[0]
    try:
        header = json_object(urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except ValueError as error:
        raise BadToken("its header is no JSON") from error
    if "crit" in header or "b64" in header:
        raise BadToken("an extension that is not understood here")  # RFC 7515, section 4.1.11
    if _media_type(header.get("typ", "")) not in {kind.lower() for kind in types}:
        raise BadToken("a token for another purpose")
    return header


def _chosen_key(token: str, keys: Iterable[PublicKey], types: frozenset[str]) -> PublicKey:
    header = _header(token, types)
    for key in keys:
        if (key.kid, key.alg) == (header.get("kid"), header.get("alg")):
            return key
    raise BadToken("no such key, or another algorithm than the key's")


def _media_type(typ: object) -> str | None:
    """RFC 7515, section 4.1.9: case does not count, and `application/` may be left out."""
    return typ.lower().removeprefix("application/") if isinstance(typ, str) else None


def _judge_parties(claims: Mapping[str, Any], issuer: str, audience: frozenset[str] | None) -> None:
    if claims.get("iss") != issuer:
        raise BadToken("another issuer")
    named = claims.get("aud")
    for_whom = named if isinstance(named, list) else [named]
    if audience is not None and not any(
        one in audience for one in for_whom if isinstance(one, str)
    ):
        raise BadToken("for somebody else")


def _judge_times(claims: Mapping[str, Any], now: float, leeway: int, expired_for: int) -> None:
    if _time(claims, "exp") + leeway + expired_for <= now:
        raise BadToken("expired")
    for name in ("nbf", "iat"):
        if name in claims and _time(claims, name) - leeway > now:
            raise BadToken(f"{name} lies in the future")


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 2**53:
        raise BadToken(f"{name} is no time")
    return value


def _signing(key: _Private) -> SigningKey:
    public = key.public_key()
    return SigningKey(key, PublicKey(thumbprint(public), _algorithm(public), public))


def _algorithm(key: object) -> Algorithm:
    """Give the one algorithm of a key. Raises ValueError for a key that is not to be used."""
    match key:
        case RSAPublicKey() if key.key_size in _RSA_RANGE and key.public_numbers().e < _RSA_E:
            return "RS256"
        case EllipticCurvePublicKey() if isinstance(key.curve, SECP256R1):
            return "ES256"
        case Ed25519PublicKey():
            return "EdDSA"
    raise ValueError("neither RSA of 2048 to 8192 bits, P-256, nor Ed25519")


def _numbers(key: _Public) -> dict[str, str]:
    match key:
        case RSAPublicKey():
            found = RSAAlgorithm.to_jwk(key, as_dict=True)
        case EllipticCurvePublicKey():
            found = ECAlgorithm.to_jwk(key, as_dict=True)
        case _:
            found = OKPAlgorithm.to_jwk(key, as_dict=True)
    return {name: found[name] for name in ("kty", *_MEMBERS[found["kty"]])}
