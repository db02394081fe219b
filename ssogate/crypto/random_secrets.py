"""Secrets that a machine drew: what is stored of one is its SHA-256, in hex.

They hold 160 random bits or more, so nobody finds one by trying, and no slow hash is needed.
"""

from __future__ import annotations

import hashlib
import hmac

NOBODYS = "0" * 64
"""A digest that no secret is known to have. Compare with it for who does not exist, so that a
refusal takes the same time."""


def digest(secret: str) -> str:
    """Give what is stored of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def matches(secret: str, stored: str) -> bool:
    """Whether `stored` is the digest of `secret`, in a time that does not tell how nearly. An empty
    secret is nobody's."""
    return hmac.compare_digest(digest(secret).encode(), stored.encode()) and secret != ""
