"""Identities in headers: one fold of header names, one way to write who somebody is.

Servers and scripting languages fold header names (`X.Remote~User` becomes `X_REMOTE_USER` for
many a CGI), so a managed name is recognised by its fold only (advisory CVE-2025-64484).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Literal

from ssogate.errors import IdentityUnsendable
from ssogate.model import Identity

MAX_VALUE = 4096  # bytes; two such headers still fit into the 8 KiB that small servers accept

IdentityField = Literal["username", "email", "name", "groups", "subject"]

DEFAULT_HEADERS: Mapping[str, IdentityField] = {
    "X-Remote-User": "username",
    "X-Remote-Email": "email",
    "X-Remote-Name": "name",
    "X-Remote-Groups": "groups",
}

_FIELDS: Mapping[str, Callable[[Identity], str]] = {
    "subject": lambda identity: identity.subject,
    "username": lambda identity: identity.username,
    "email": lambda identity: identity.email,
    "name": lambda identity: identity.name,
    "groups": lambda identity: ",".join(sorted(identity.groups)),
}

_NOT_ALNUM = re.compile(r"[^A-Z0-9]+")


def fold(name: str) -> str:
    """Give the name that the most lenient server reads in a header name or environ key.

    Remembers nothing: visitors choose names, of 16 KiB if they like; who asks often remembers.
    """
    folded = _NOT_ALNUM.sub("_", name.upper())
    while folded.startswith("HTTP_"):
        folded = folded[5:]
    return folded


# Headers that some app, server or framework takes for a verified identity or for its own
# environment. No visitor may send one, whether or not this gate sets it.
_IDENTITIES_ELSEWHERE = """
Auth-Type Auth-User Auth-Password Document-Root Https Path-Info Path-Translated Proxy
Remote-Addr Remote-Email Remote-Groups Remote-Host Remote-Ident Remote-Name Remote-User
Redirect-Remote-User Redirect-Status Request-Method Request-Uri Script-Filename Script-Name
Server-Name Server-Port Server-Protocol
Ssl-Client-S-Dn Ssl-Client-Verify X-Client-Dn X-Client-Verify X-Ssl-Client-S-Dn X-Ssl-Client-Verify
X-Auth-Email X-Auth-Groups X-Auth-Name X-Auth-User X-Auth-Username
X-Auth-Request-Access-Token X-Auth-Request-Email X-Auth-Request-Groups
X-Auth-Request-Preferred-Username X-Auth-Request-User
X-Authenticated-Groups X-Authenticated-User X-Authenticated-Userid X-Email X-Groups X-Roles X-User
X-Forwarded-Access-Token X-Forwarded-Email X-Forwarded-Groups X-Forwarded-Preferred-Username
X-Forwarded-User X-Ssogate-Error X-Username
X-Webauth-Email X-Webauth-Groups X-Webauth-Name X-Webauth-User
"""
WELL_KNOWN = frozenset(map(fold, (*DEFAULT_HEADERS, *_IDENTITIES_ELSEWHERE.split())))


def identity_headers(identity: Identity, names: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Give the headers that tell an app who `identity` is: `names` maps header to field.

    Values are UTF-8, as latin-1 native strings (PEP 3333); an empty field is sent empty, so that
    an app never finds a stale one. Raises `IdentityUnsendable` rather than change a value.
    """
    return _headers(identity, tuple(names.items()))


@lru_cache(maxsize=8192)  # both are frozen values: what was written once is written so again
def _headers(identity: Identity, names: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tuple((name, header_value(_FIELDS[field](identity))) for name, field in names)


def header_value(text: str) -> str:
    """Give `text` as the native string of a header or of `REMOTE_USER`.

    Raises `IdentityUnsendable` for control characters and for more than `MAX_VALUE` bytes.
    """
    if text.isascii() and text.isprintable() and len(text) <= MAX_VALUE:
        return text
    raw = text.encode("utf-8", "surrogatepass")
    if len(raw) > MAX_VALUE or any(unicodedata.category(c) in ("Cc", "Cs") for c in text):
        raise IdentityUnsendable("a field of the identity cannot stand in a header")
    return raw.decode("latin-1")
