"""Which headers travel, both ways: pure functions over names and values.

Strategy: what becomes of a name depends on the name alone, so each is judged once and looked up
from then on (in bounded tables, since both sides choose names). Removing comes first, adding
second: whatever a visitor writes, each header of ours arrives exactly once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from enum import Enum, auto
from functools import lru_cache
from typing import Any

from ssogate.http.cookies import is_own_cookie, other_cookies
from ssogate.http.identity import fold
from ssogate.http.scrub import Scrubber
from ssogate.upstream.wire import Fields

# RFC 9110, section 7.6.1, with the older names of the same kind. `Proxy-…` is matched by prefix.
_HOP_BY_HOP = frozenset(
    {
        "CONNECTION",
        "KEEP_ALIVE",
        "TE",
        "TRAILER",
        "TRAILERS",
        "TRANSFER_ENCODING",
        "UPGRADE",
        "HTTP2_SETTINGS",
    }
)
# `Expect` is between the visitor and the server, which has answered it by the time we read.
_SET_BY_US = frozenset({"HOST", "CONTENT_LENGTH", "CONTENT_TYPE", "EXPECT", "X_REQUEST_ID"})
_METHOD_OVERRIDES = frozenset({"X_HTTP_METHOD_OVERRIDE", "X_HTTP_METHOD", "X_METHOD_OVERRIDE"})
METHOD_OVERRIDE_KEYS = frozenset(f"HTTP_{name}" for name in _METHOD_OVERRIDES)
"""Environ keys that make an app do something else than the policies have judged."""

# What servers and caches between us and the visitor would obey, which is not an upstream's to
# order; `Clear-Site-Data` would end the gate's own session.
_ORDERS = frozenset(
    {
        "SERVER",
        "DATE",
        "X_SENDFILE",
        "X_SENDFILE2",
        "X_LIGHTTPD_SEND_FILE",
        "X_REPROXY_URL",
        "CLEAR_SITE_DATA",
    }
)
_ORDER_PREFIXES = ("PROXY_", "X_ACCEL_", "X_SSOGATE_")

_REMEMBERED = 1024  # names; a site's own are a few dozen


def may_be_set(name: str) -> bool:
    """Whether an operator may name a request header so: not one that has a meaning of its own."""
    folded = fold(name)
    taken = _HOP_BY_HOP | _SET_BY_US | _METHOD_OVERRIDES | {"COOKIE", "PROXY"}
    return folded not in taken and not folded.startswith(("PROXY_", "X_FORWARDED_"))


class RequestHeaders:
    """The headers of a visitor that an upstream may see: not the ones that `scrubber` removes,
    not those of the hop, and of the cookies not the gate's own."""

    def __init__(self, scrubber: Scrubber) -> None:
        self._removes = scrubber.removes
        self.name = lru_cache(_REMEMBERED)(self._judge)
        """Give the name to send for an environ key, or None where nothing is sent for it."""

    def lines(self, environ: Mapping[str, Any], *, method_override: bool = False) -> list[str]:
        """Give `Name: value` for every header in `environ` that passes, without our own."""
        listed = _listed(environ.get("HTTP_CONNECTION", ""))
        lines = []
        for key, value in environ.items():
            name = self.name(key)
            if name is None or (listed and fold(key) in listed):
                continue
            if key == "HTTP_COOKIE":
                value = other_cookies(value)  # noqa: PLW2901
                if not value:
                    continue
            elif key in METHOD_OVERRIDE_KEYS and not method_override:
                continue
            lines.append(f"{name}: {value}")
        return lines

    def _judge(self, key: str) -> str | None:
        if key == "CONTENT_TYPE":
            return "Content-Type"
        if not key.startswith("HTTP_"):
            return None
        folded = fold(key)
        if folded in _HOP_BY_HOP or folded in _SET_BY_US or folded.startswith("PROXY_"):
            return None
        return None if self._removes(key) else key[5:].replace("_", "-").title()


def _listed(connection: str) -> Collection[str]:
    """The folded names that a Connection header declares to be hop-by-hop."""
    if connection.lower() in ("", "keep-alive", "close"):
        return ()
    return frozenset(fold(option.strip(" \t")) for option in connection.split(","))


# --- The answer ------------------------------------------------------------------------------


class _Fate(Enum):
    PASS = auto()
    DROP = auto()
    COOKIE = auto()
    LOCATION = auto()


_FATES = {"SET_COOKIE": _Fate.COOKIE, "LOCATION": _Fate.LOCATION}


@lru_cache(_REMEMBERED)
def _fate(name: str) -> _Fate:
    folded = fold(name)
    if folded in _HOP_BY_HOP or folded in _ORDERS or folded.startswith(_ORDER_PREFIXES):
        return _Fate.DROP
    return _FATES.get(folded, _Fate.PASS)


def response_headers(
    fields: Fields,
    *,
    connection: str,
    relocate: Callable[[str], str],
) -> list[tuple[str, str]]:
    """Give the headers of an answer that the visitor gets, in their order.

    `connection` is the answer's Connection header. A Set-Cookie with one of the gate's own names
    is dropped, be it nameless or quoted; a Location becomes `relocate` of it.
    """
    listed = _listed(connection)
    kept = []
    for name, value in fields:
        fate = _fate(name)
        if fate is _Fate.DROP or (listed and fold(name) in listed):
            continue
        if fate is _Fate.COOKIE and is_own_cookie(value.partition(";")[0]):
            continue
        kept.append((name, relocate(value) if fate is _Fate.LOCATION else value))
    return kept


# What would have a shared cache keep an answer (RFC 9111, section 5.2.2), or says which may.
_SHARING = frozenset({"public", "s-maxage", "private"})
_FOR_SHARED_CACHES = ("surrogate-control", "cdn-cache-control")


def keep_private(headers: list[tuple[str, str]]) -> None:
    """See to it that no shared cache gives one visitor's answer to another (RFC 9111, section 3).

    What the app says of the visitor's own cache stands. Without a word from it the answer is not
    stored at all. In any case it varies by Cookie.
    """
    kept: list[tuple[str, str]] = []
    caching: list[str] = []
    vary: list[str] = []
    lists = {"cache-control": caching, "vary": vary}
    expires = False
    for name, value in headers:
        lower = name.lower()
        if lower in lists:
            lists[lower] += [item.strip(" \t") for item in value.split(",")]
        elif not lower.endswith(_FOR_SHARED_CACHES):
            kept.append((name, value))
            expires = expires or lower == "expires"
    own = [item for item in caching if item and item.partition("=")[0].lower() not in _SHARING]
    said = ", ".join(["private", *own]) if caching or expires else "no-store"
    if not {"cookie", "*"} & {item.lower() for item in vary}:
        vary.append("Cookie")
    headers[:] = [*kept, ("Cache-Control", said), ("Vary", ", ".join(filter(None, vary)))]
