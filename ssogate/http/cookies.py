"""The session cookie: how it is read, set and ended, and how its token looks.

The name carries `__Host-` on https, so that no sub-domain, path or plain-http page can set it
(RFC 6265bis, section 4.1.3.2). Two cookies of the name mean none: one of them is forged.
"""

from __future__ import annotations

import re
from hashlib import sha256

TOKEN_BYTES = 32  # 256 bits
_TOKEN = re.compile(r"[A-Za-z0-9_\-]{43}", re.ASCII)

MAX_COOKIE_HEADER = 16384  # bytes; browsers send less, and gunicorn's own ceiling is 8190 a field


def cookie_name(*, secure: bool) -> str:
    """Give the session cookie's name for a site on https or on plain http."""
    return "__Host-ssogate" if secure else "ssogate"


COOKIE_NAMES = frozenset({cookie_name(secure=True), cookie_name(secure=False)})
"""Every name under which a session token may travel; upstreams neither see nor set them."""


def session_token(header: str, name: str) -> str | None:
    """Give the session token in a Cookie header, or None if there is not exactly one.

    Strict on purpose: no quotes, no unescaping, no comma as a separator. A server that joins two
    Cookie headers by a comma thereby yields none.
    """
    if name not in header or len(header) > MAX_COOKIE_HEADER:
        return None
    found = None
    for part in header.split(";"):
        key, _, value = part.partition("=")
        if key.strip(" \t") == name:
            if found is not None:
                return None
            found = value.strip(" \t")
    return found if found and _TOKEN.fullmatch(found) else None


def session_key(token: str) -> str:
    """Give what is stored of a session token: its SHA-256 in hex."""
    return sha256(token.encode("ascii")).hexdigest()


def set_cookie(token: str, *, secure: bool) -> str:
    """Give the Set-Cookie value that opens a session. It ends with the browser's own session;
    the server's record says when it ends at the latest."""
    flags = "; Secure" if secure else ""
    return f"{cookie_name(secure=secure)}={token}; Path=/; HttpOnly; SameSite=Lax{flags}"


def end_cookie(*, secure: bool) -> str:
    """Give the Set-Cookie value that removes the session cookie."""
    return set_cookie("", secure=secure) + "; Max-Age=0"


_OWN = re.compile("|".join(sorted(map(re.escape, COOKIE_NAMES))), re.IGNORECASE)


def is_own_cookie(text: str) -> bool:
    """Whether one of the gate's cookie names stands anywhere in a text, in any case.

    Anywhere: servers join two Cookie headers by a comma, so a name may hide behind `a=1,`; and a
    cookie without a name whose value looks like ours is read as ours.
    """
    return _OWN.search(text) is not None


def other_cookies(header: str) -> str:
    """Give a Cookie header without the gate's own cookies; the others byte for byte."""
    if not is_own_cookie(header):
        return header
    kept = (part for part in header.split(";") if not is_own_cookie(part))
    return ";".join(kept).strip(" \t")
