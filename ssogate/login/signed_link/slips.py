"""The usual mistakes of those who sign links, found by making them.

Strategy: what is hashed, by which secret and in which way are three short tables; a slip is a row
of one of them, or of two. One place for the log's hint and for `diagnose`. Every comparison is in
constant time: a hash that is wrong here may be the right one of another link.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode
from collections.abc import Callable, Iterable
from functools import cache
from hashlib import md5, sha1, sha256, sha512
from itertools import product
from urllib.parse import quote

_Bytes = Callable[[bytes], bytes]
_Way = Callable[[bytes, bytes], str]
_Row = tuple[tuple[str, ...], _Bytes, _Bytes, _Way]

_STANDARD, _URL_SAFE = b"+/", b"-_"
_UPPER = "the hash is in upper case; it must be lower-case hex"


def hash_slip(
    query: str, claimed: str, secrets: Iterable[bytes], algorithm: str, *, together: int = 1
) -> str:
    """Say which usual mistake explains the hash `claimed` of the base64 text `query`.

    Up to `together` mistakes at a time are tried: one costs a few dozen hashes, two some hundred.
    Empty when nothing explains it.
    """
    text = query.encode("utf-8", "surrogateescape")
    lower = claimed.lower().encode("utf-8", "surrogateescape")
    upper = (_UPPER,) if claimed != claimed.lower() else ()
    secrets = tuple(secrets)
    for slips, text_of, secret_of, way in _rows(algorithm, together):
        for secret in secrets:
            made = way(text_of(text), secret_of(secret)).encode()
            if hmac.compare_digest(made, lower):
                return "; and ".join((*upper, *slips))
    return ""


@cache
def _rows(algorithm: str, together: int) -> list[_Row]:
    """The combinations to try, the simplest first. The sender's own algorithm is no slip."""
    rows: list[_Row] = []
    for (text, text_of), (secret, secret_of), (way, made) in product(_TEXTS, _SECRETS, _WAYS):
        slips = tuple(slip for slip in (text, secret, way) if slip and slip != _PLAIN[algorithm])
        if len(slips) <= together:
            rows.append((slips, text_of, secret_of, made))
    return sorted(rows, key=lambda row: len(row[0]))


# --- What is hashed -----------------------------------------------------------------------------


def _same(value: bytes) -> bytes:
    return value


def _decoded(text: bytes) -> bytes:
    try:
        return b64decode(_padded(_standard(text)))
    except (binascii.Error, ValueError):
        return b""


def _escaped(text: bytes) -> bytes:
    return quote(text, safe="").encode()


def _escaped_small(text: bytes) -> bytes:
    return text.replace(b"+", b"%2b").replace(b"/", b"%2f").replace(b"=", b"%3d")


def _spaced(text: bytes) -> bytes:
    return text.replace(b"+", b" ")


def _unpadded(text: bytes) -> bytes:
    return text.rstrip(b"=")


def _padded(text: bytes) -> bytes:
    return text + b"=" * (-len(text) % 4)


def _url_safe(text: bytes) -> bytes:
    return text.translate(bytes.maketrans(_STANDARD, _URL_SAFE))


def _standard(text: bytes) -> bytes:
    return text.translate(bytes.maketrans(_URL_SAFE, _STANDARD))


def _unbroken(text: bytes) -> bytes:
    return text.translate(None, b"\r\n")


def _line(value: bytes) -> bytes:
    return value + b"\n"


_SPELLED = "the hash is over the text as the URL spells it (%2B, %3D); it must be over the base64"
_TEXTS: tuple[tuple[str, _Bytes], ...] = (
    ("", _same),
    ("the hash is over the decoded text; it must be over the base64 text", _decoded),
    (_SPELLED, _escaped),
    (_SPELLED, _escaped_small),
    ("the hash is over the text with every + turned into a space; leave the + alone", _spaced),
    ("the hash is over the text without its closing =; sign what you send", _unpadded),
    ("the hash is over the text with its closing =; sign what you send", _padded),
    ("the hash is over the text in the URL-safe alphabet; sign what you send", _url_safe),
    ("the hash is over the text in the standard alphabet; sign what you send", _standard),
    ("the hash is over the text without its line breaks; sign what you send", _unbroken),
    ("the hash is over the text and a line break; cut that off", _line),
)

# --- By which secret ----------------------------------------------------------------------------


def _from_hex(secret: bytes) -> bytes:
    try:
        return bytes.fromhex(secret.decode("ascii"))
    except ValueError:
        return secret


_LINE_BREAK = "the secret has a line break at its end; read it without"
_SECRETS: tuple[tuple[str, _Bytes], ...] = (
    ("", _same),
    (_LINE_BREAK, _line),
    (_LINE_BREAK, lambda secret: secret + b"\r\n"),
    ("the sender's secret is empty", lambda _: b""),
    ("the secret is read as hex; take its characters as they are", _from_hex),
)

# --- In which way -------------------------------------------------------------------------------

_PLAIN = {
    "sha256": "the hash is plain SHA-256; it must be HMAC-SHA-256 (or write `algorithm: sha256`)",
    "hmac-sha256": (
        "the hash is HMAC-SHA-256; it must be plain SHA-256 (or write `algorithm: hmac-sha256`)"
    ),
}
# Nothing here is trusted, so MD5 and SHA-1 do no harm: they are recognised in order to be refused.
_WAYS: tuple[tuple[str, _Way], ...] = (
    (_PLAIN["sha256"], lambda text, secret: sha256(text + secret).hexdigest()),
    (
        _PLAIN["hmac-sha256"],
        lambda text, secret: hmac.new(secret, text, sha256).hexdigest(),
    ),
    (
        "the secret stands first; it must stand last",
        lambda text, secret: sha256(secret + text).hexdigest(),
    ),
    (
        "the hash is HMAC-SHA-256 with text and secret exchanged: the secret is the key",
        lambda text, secret: hmac.new(text, secret, sha256).hexdigest(),
    ),
    (
        "the hash is MD5; it must be SHA-256",
        lambda text, secret: md5(text + secret, usedforsecurity=False).hexdigest(),
    ),
    (
        "the hash is SHA-1; it must be SHA-256",
        lambda text, secret: sha1(text + secret, usedforsecurity=False).hexdigest(),
    ),
    (
        "the hash is SHA-512; it must be SHA-256",
        lambda text, secret: sha512(text + secret).hexdigest(),
    ),
)
