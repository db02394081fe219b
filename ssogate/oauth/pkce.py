"""Proof Key for Code Exchange (RFC 7636): who redeems a code is who asked for it.

S256 only. With `plain`, whoever reads the authorization request can redeem the code.
"""

from __future__ import annotations

import hashlib
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
