"""Proofs of possession (RFC 9449): a token that is bound to a key is good only beside a proof that
its bearer has the key, made for this one request.

A proof names the request by method and address. That nobody uses it again, the caller sees to, who
spends its `once`.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import urlsplit

from ssogate.crypto.jwk import BadToken, self_signed, thumbprint

TYPE = "dpop+jwt"
LEEWAY = 60  # seconds before and after now that a proof may be from
MAX_PROOF = 4096  # characters; an RSA key of 4096 bits has 700

_JTI = re.compile(r"[\x21-\x7e]{8,256}")


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that is right for a request."""

    jkt: str
    """The thumbprint of the key (RFC 7638)."""
    once: str
    """What must not be seen again until `until`, in Unix seconds."""
    until: int


def proven(
    proof: str, *, method: str, url: str, now: float, access_token: str | None = None
) -> Proof:
    """Judge a proof for a request: `url` is its address without a query. With `access_token`, the
    proof must be made for this token, too. Raises `BadToken`, which says what is wrong with it.
    """
    if len(proof) > MAX_PROOF:
        raise BadToken("the proof is too long")
    key, claims = self_signed(proof, typ=TYPE)
    if claims.get("htm") != method or _plain(claims.get("htu")) != _plain(url):
        raise BadToken("the proof is for another request")
    at, jti = claims.get("iat"), claims.get("jti")
    if isinstance(at, bool) or not isinstance(at, int | float) or not abs(now - at) <= LEEWAY:
        raise BadToken("the proof is not from now")
    if not isinstance(jti, str) or not _JTI.fullmatch(jti):
        raise BadToken("the proof's jti is no text of 8 to 256 characters")
    if access_token is not None and not _is_for(access_token, claims.get("ath")):
        raise BadToken("the proof is for another token")
    jkt = thumbprint(key.key)
    once = sha256(f"{jkt}\0{jti}".encode()).hexdigest()
    return Proof(jkt, f"dpop:{once}", int(at) + LEEWAY + 1)


def _is_for(access_token: str, ath: object) -> bool:
    made = urlsafe_b64encode(sha256(access_token.encode()).digest()).rstrip(b"=").decode()
    return isinstance(ath, str) and hmac.compare_digest(made.encode(), ath.encode())


def _plain(url: object) -> tuple[str, ...] | None:
    """Give an address as RFC 9449, section 4.3, compares it: without query and fragment, and with
    scheme, host and port in one spelling."""
    if not isinstance(url, str) or not url.isascii() or not url.isprintable():
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or parts.username is not None or not parts.hostname:
        return None
    usual = {"http": 80, "https": 443}[parts.scheme]
    return (parts.scheme, parts.hostname, str(port or usual), parts.path or "/")
