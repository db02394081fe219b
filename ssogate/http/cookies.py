"""The gate's cookies: how they are read, set and ended, and how a token looks.

The name carries `__Host-` on https, so that no sub-domain, path or plain-http page can set it
(RFC 6265bis, section 4.1.3.2). Two cookies of the name mean none: one of them is forged.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256

TOKEN_BYTES = 32  # 256 bits
_TOKEN = re.compile(r"[A-Za-z0-9_\-]{43}", re.ASCII)

MAX_COOKIE_HEADER = 16384  # bytes; browsers send less, and gunicorn's own ceiling is 8190 a field


DEVICE_SECONDS = 400 * 86400  # the longest that browsers keep a cookie (RFC 6265bis, section 5.5)


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie of the gate's, on https or on plain http. Without `seconds` it ends with the
    browser's own session; the server's record says when it ends at the latest."""

    name: str
    secure: bool
    seconds: int | None = None

    def set(self, token: str) -> str:
        """Give the Set-Cookie value."""
        flags = "; Secure" if self.secure else ""
        kept = "" if self.seconds is None else f"; Max-Age={self.seconds}"
        return f"{self.name}={token}; Path=/; HttpOnly; SameSite=Lax{flags}{kept}"

    def end(self) -> str:
        """Give the Set-Cookie value that removes it."""
        return Cookie(self.name, self.secure, 0).set("")


@dataclass(frozen=True, slots=True)
class Cookies:
    """The session's, that of a sign-in that still owes the second factor, and the one by which a
    browser is known again."""

    session: Cookie
    step: Cookie
    device: Cookie


def cookies(*, secure: bool) -> Cookies:
    """Give the cookies of a site on https or on plain http."""
    prefix = "__Host-" if secure else ""
    return Cookies(
        session=Cookie(f"{prefix}ssogate", secure),
        step=Cookie(f"{prefix}ssogate-step", secure),
        device=Cookie(f"{prefix}ssogate-device", secure, DEVICE_SECONDS),
    )


COOKIE_NAMES = frozenset({cookies(secure=True).session.name, cookies(secure=False).session.name})
"""What every name begins with under which a token may travel; upstreams neither see nor set any."""


def session_token(header: str, name: str) -> str | None:
    """Give the token of one of our cookies in a Cookie header, or None if there is not exactly one.

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
    """Give what is stored of a token: its SHA-256 in hex."""
    return sha256(token.encode("ascii")).hexdigest()


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
