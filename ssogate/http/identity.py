"""Names and identities: one canonical user name, one fold of header names, one way to write them.

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
MAX_USERNAME = 255  # characters

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
# Cc control, Cf format (zero width, bidi), Cs surrogates, Zl/Zp line separators, Cn unassigned.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"})
# Letters, marks and symbols by category that nobody sees either: fillers, variation selectors.
_BLANK = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    r"\U000e0100-\U000e01ef]"
)


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


def canonical_name(name: str) -> str:
    """Give the one form in which user names are compared: NFKC, case-folded, NFKC again.

    Raises `ValueError`, in words for an operator, for a name that nobody could type or see.
    """
    if visible(name, MAX_USERNAME) != name or not name:
        raise ValueError("a user name must not be empty or begin or end with a space")
    # Case folding can undo the composition (and NFKC the folding), so fold to a fixed point.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    if visible(folded, MAX_USERNAME) != folded or not folded:
        raise ValueError("a user name must not hold characters that stand for a space")
    if _BLANK.search(name):
        raise ValueError("a user name must not hold characters that are not seen")
    return folded


def visible(text: str, limit: int) -> str:
    """Give `text` without surrounding white space.

    Raises `ValueError` if it is longer than `limit` characters, or holds control, format or
    unassigned characters: two names that look alike must be alike.
    """
    if len(text) > limit:
        raise ValueError(f"longer than {limit} characters")
    if not (text.isascii() and text.isprintable()):
        for character in text:
            if unicodedata.category(character) in _INVISIBLE:
                raise ValueError(f"holds the invisible character U+{ord(character):04X}")
    return text.strip()


def group_name(name: str) -> str:
    """Give `name` back if it can be a group: visible, without commas, at most 64 characters.

    Raises `ValueError`. Groups are compared exactly and travel joined by commas.
    """
    if not name or "," in name or visible(name, 64) != name:
        raise ValueError(
            "a group name must not be empty, hold a comma or begin or end with a space"
        )
    return name


def email_address(text: str) -> str:
    """Give `text` back if it can be an e-mail address: exactly one `@`, something on both sides,
    no space, at most 254 characters (RFC 5321, section 4.5.3.1.3). Raises `ValueError`."""
    local, _, domain = visible(text, 254).partition("@")
    if not local or not domain or "@" in domain or any(map(str.isspace, text)):
        raise ValueError("an e-mail address is a name, one @ and a domain")
    return text


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
