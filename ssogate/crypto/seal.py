"""Values sealed at rest: secrets that the gate must read again, useless in a copy of the database.

AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce. A sealed value is bound to its context,
such as `server:3:password`: copied to another row or column, it does not open. The keys are a
list, newest first: the newest seals, each opens what it sealed.

    s1.<key's id>.<nonce, ciphertext and tag in base64url>
"""

from __future__ import annotations

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MIN_KEY = 32  # bytes; HKDF does not make a short or guessable text any harder to guess

_NONCE = 12  # bytes
_PREFIX = len("s1.") + 8 + len(".")


class SealBroken(Exception):
    """A value was not sealed by these keys for this context, or was changed since."""


@final
class Sealer:
    """Seals and opens texts. Raises `ValueError` at construction without keys of 32 bytes each."""

    __slots__ = ("_ciphers", "_newest")

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys or any(len(key) < MIN_KEY for key in keys):
            raise ValueError(f"sealing needs keys of at least {MIN_KEY} characters")
        # By prefix. Not the keys themselves: nothing here can show or pickle them.
        self._ciphers = {
            f"s1.{_derived(key, b'key id', 4).hex()}.": AESGCM(_derived(key, b"seal", 32))
            for key in keys
        }
        self._newest = next(iter(self._ciphers))

    def seal(self, text: str, *, context: str) -> str:
        """Seal a text. Its length can be told from outside, nothing else."""
        nonce = os.urandom(_NONCE)  # not an argument: a nonce that comes twice gives the key away
        aad = _aad(self._newest, context)
        box = nonce + self._ciphers[self._newest].encrypt(nonce, text.encode(), aad)
        return self._newest + urlsafe_b64encode(box).decode()

    def open(self, sealed: str, *, context: str) -> str:
        """Give the text that was sealed for this context. Raises `SealBroken`."""
        prefix = sealed[:_PREFIX]
        cipher = self._ciphers.get(prefix)
        if cipher is None:
            raise SealBroken("sealed with a key that is not among the keys given")
        box = _decoded(sealed[_PREFIX:])
        try:
            text = cipher.decrypt(box[:_NONCE], box[_NONCE:], _aad(prefix, context))
        except (InvalidTag, ValueError):  # ValueError: too short for a nonce
            raise SealBroken("not sealed for this place, or changed since") from None
        return text.decode()

    def is_current(self, sealed: str) -> bool:
        """Whether the newest key sealed it; if not, it should be opened and sealed anew."""
        return sealed.startswith(self._newest)


def derived_secret(key: bytes, purpose: str) -> bytes:
    """Give 256 bits that only who has the sealing key can reckon, for one purpose."""
    return _derived(key, purpose.encode(), 32)


def _derived(key: bytes, purpose: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt=None, info=b"ssogate " + purpose).derive(key)


def _aad(prefix: str, context: str) -> bytes:
    return (prefix + context).encode()  # the prefix has a fixed length: no two pairs are one text


def _decoded(text: str) -> bytes:
    """Refuses spellings that are not ours: a decoder drops odd characters and spare bits."""
    try:
        box = urlsafe_b64decode(text)
    except ValueError:
        box = b""
    if urlsafe_b64encode(box).decode() != text:
        raise SealBroken("not a sealed value")
    return box
