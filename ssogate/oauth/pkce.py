"""Proof Key for Code Exchange (RFC 7636): who redeems a code is who asked for it.

S256 only. With `plain`, whoever reads the authorization request can redeem the code.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode

METHOD = "S256"

_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")  # section 4.1
# 32 bytes in base64url; the last letter carries four bits, so only these sixteen can be.
_CHALLENGE = re.compile(r"[A-Za-z0-9_\-]{42}[AEIMQUYcgkosw048]")


def is_verifier(text: str) -> bool:
    return _VERIFIER.fullmatch(text) is not None


def is_challenge(text: str) -> bool:
    """Whether it could be a SHA-256 in base64url."""
    return _CHALLENGE.fullmatch(text) is not None


def challenge_of(verifier: str) -> str:
    """Give the challenge that a client sends ahead. Raises ValueError for what is no verifier."""
    if not is_verifier(verifier):
        raise ValueError("a code verifier is 43 to 128 unreserved characters")
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def matches(verifier: str, challenge: str) -> bool:
    """Whether it is the challenge's verifier, in a time that does not tell how nearly.

    An empty text is neither: see `redeems` for requests without.
    """
    if not (is_verifier(verifier) and is_challenge(challenge)):
        return False
    return hmac.compare_digest(challenge_of(verifier).encode(), challenge.encode())


def redeems(verifier: str, challenge: str) -> bool:
    """Whether a code may be redeemed: with the verifier of its challenge, and if it was asked for
    without one, only without one. An empty text is none. Else whoever strips the challenge from a
    request could play the code to a client that sends verifiers (RFC 9700, section 4.8.2)."""
    return matches(verifier, challenge) if challenge else not verifier
