"""The format of a signed link, as pure functions in the order in which they must be called.

    outer()   the URL's parameters, judged by their form alone
    verify()  the hash over the base64 text exactly as it was sent, before any of it is decoded
    decode()  the inner parameters of a verified text

Each takes only what the one before gives back, so unverified text cannot reach `decode`.
"""

from __future__ import annotations

import binascii
import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import unquote_to_bytes, urlencode

from ssogate.errors import BadSignature, InvalidParameter, MissingParameter
from ssogate.login.signed_link.slips import hash_slip
from ssogate.names import canonical_name, email_address, group_name, visible

MAX_QUERY = 4096  # characters of base64: far above an honest link, far below a request line
MAX_GROUPS = 100
_REDIRECT = ("redirecttype", "redirectid", "redirect")
OUTER = ("mode", "query", "hash", "confirm", *_REDIRECT)
INNER = ("username", "name", "email", "t", "groups", "dl", *_REDIRECT)
_HASH = re.compile(r"[0-9A-Fa-f]{64}", re.ASCII)
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}", re.ASCII)
_TIMESTAMP = re.compile(r"[0-9]{1,11}", re.ASCII)  # until the year 5138

_DIGESTS: Mapping[str, Callable[[bytes, bytes], str]] = {
    "sha256": lambda text, secret: sha256(text + secret).hexdigest(),
    "hmac-sha256": lambda text, secret: hmac.new(secret, text, sha256).hexdigest(),
}

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "login": ("username", "name", "email"),
    "logout": ("username",),
}
"""The modes, and the inner parameters that each must have besides `t`."""


@dataclass(frozen=True, slots=True)
class Outer:
    """A link's URL parameters, well-formed. Nothing in it is genuine yet."""

    mode: str
    query: str
    digest: str
    confirm: str
    redirect: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class VerifiedText:
    """A base64 text whose hash was right. Built by `verify` only."""

    text: str
    digest: str
    """Lower case: `verify` takes no other spelling."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a verified link says."""

    username: str
    name: str
    email: str
    issued_at: int | None
    """Unix seconds; None when the link carries no `t`."""
    groups: frozenset[str] | None
    redirect: Mapping[str, str]


def outer(pairs: Iterable[tuple[str, str]]) -> Outer:
    """Judge the form of a link's URL parameters, given as decoded pairs in their order.

    Raises `MissingParameter` (400E1) and `InvalidParameter` (400E2).
    """
    fields, doubled = _known(pairs, OUTER)
    mode = fields.get("mode", "")
    # Senders paste base64 into the URL unescaped, and a raw "+" arrives as a space.
    query, digest = fields.get("query", "").replace(" ", "+"), fields.get("hash", "")
    signed = mode == "login" or bool(query or digest)
    _require({"mode": mode, **({"query": query, "hash": digest} if signed else {})}, doubled)
    if mode not in REQUIRED:
        raise InvalidParameter("mode is neither login nor logout")
    if signed and not _HASH.fullmatch(digest):
        raise InvalidParameter("hash is not 64 hex digits")
    if len(query) > MAX_QUERY:
        raise InvalidParameter(f"query is longer than {MAX_QUERY} characters")
    return Outer(mode, query, digest, fields.get("confirm", ""), _redirect(fields))


def digest(query: str, secret: bytes, algorithm: str = "sha256") -> str:
    """Give the hash of a base64 text: lower-case hex."""
    return _DIGESTS[algorithm](query.encode("utf-8", "surrogateescape"), secret)


def verify(
    query: str, claimed: str, secrets: Sequence[bytes], algorithm: str = "sha256"
) -> VerifiedText:
    """Check the hash over the text as sent, against every secret, in constant time.

    Raises `BadSignature` (401E1).
    """
    genuine = False
    for secret in secrets:
        right = digest(query, secret, algorithm)
        genuine |= hmac.compare_digest(right, claimed)
    if not genuine:
        # For the log only: a visitor is never told how near the hash was.
        slip = hash_slip(query, claimed, secrets, algorithm)
        raise BadSignature(slip or "the hash is of another text, or by another secret")
    return VerifiedText(query, claimed)


def decode(verified: VerifiedText, *, required: Sequence[str]) -> Link:
    """Read the inner parameters as PHP's `parse_str` would, strictly.

    Raises `MissingParameter` (400E1) and `InvalidParameter` (400E2).
    """
    fields, doubled = _known(_inner_pairs(_unbase64(verified.text)), INNER)
    _require({name: fields.get(name, "") for name in required}, doubled)
    try:
        if "username" in fields:
            canonical_name(fields["username"])
        if "email" in required:
            email_address(fields["email"])
        if visible(fields.get("name", ""), 255) != fields.get("name", ""):
            raise ValueError("the name begins or ends with a space")
        groups = _groups(fields["groups"]) if "groups" in fields else None
    except ValueError as error:
        raise InvalidParameter(str(error)) from error
    return Link(
        username=fields.get("username", ""),
        name=fields.get("name", ""),
        email=fields.get("email", ""),
        issued_at=_timestamp(fields["t"]) if "t" in fields else None,
        groups=groups,
        redirect=_redirect(fields),
    )


def make_query(fields: Mapping[str, str]) -> str:
    """Give the base64 text of inner parameters, as `base64_encode(http_build_query(…))` does."""
    return b64encode(urlencode(fields).encode()).decode()


def sign(
    base: str, query: str, secret: bytes, *, algorithm: str = "sha256", mode: str = "login"
) -> str:
    """Give the whole link: `base` is the address of `sso.php`."""
    fields = {"mode": mode, "query": query, "hash": digest(query, secret, algorithm)}
    return f"{base}?{urlencode(fields)}"


def _known(
    pairs: Iterable[tuple[str, str]], names: Sequence[str]
) -> tuple[dict[str, str], list[str]]:
    """The known parameters, and those given twice or as an array: they have no single reading."""
    fields: dict[str, str] = {}
    doubled = []
    for key, value in pairs:
        name, bracket, _ = key.lstrip(" ").partition("[")  # as PHP cuts `username[]` and ` t`
        if name in names:
            if bracket or name in fields:
                doubled.append(name)
            fields.setdefault(name, value)
    return fields, doubled


def _redirect(fields: Mapping[str, str]) -> Mapping[str, str]:
    return {name: fields[name] for name in _REDIRECT if name in fields}


def _require(fields: Mapping[str, str], doubled: Sequence[str]) -> None:
    """What is missing counts before what is there too often."""
    missing = [name for name, value in fields.items() if not value]
    if missing:
        raise MissingParameter(", ".join(missing))
    if doubled:
        raise InvalidParameter(f"{doubled[0]} is given twice or as an array")


def _unbase64(text: str) -> bytes:
    """Standard alphabet, padding optional, no other spelling of the same bytes."""
    if not _BASE64.fullmatch(text):
        raise InvalidParameter("query is not base64 in the standard alphabet")
    bare = text.rstrip("=")
    try:
        raw = b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except binascii.Error as error:
        raise InvalidParameter("query is not base64") from error
    if b64encode(raw).decode().rstrip("=") != bare:
        raise InvalidParameter("query is not canonical base64")
    return raw


def _inner_pairs(raw: bytes) -> Iterable[tuple[str, str]]:
    try:
        for part in filter(None, raw.split(b"&")):
            key, _, value = part.replace(b"+", b" ").partition(b"=")
            yield unquote_to_bytes(key).decode("utf-8"), unquote_to_bytes(value).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidParameter("the inner parameters are not UTF-8") from error


def _timestamp(text: str) -> int:
    if not _TIMESTAMP.fullmatch(text):
        raise InvalidParameter("t is not a number of seconds")
    return int(text)


def _groups(text: str) -> frozenset[str]:
    names = [name.strip(" ") for name in text.split(",")]
    if len(names) > MAX_GROUPS:
        raise ValueError(f"more than {MAX_GROUPS} groups")
    return frozenset(group_name(name) for name in names if name)
