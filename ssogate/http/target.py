"""The one canonical reading of what a request asks for.

Strategy: take the raw request target apart once, refuse every spelling that two servers could
read differently, and give back the single spelling that is then judged *and* sent on. Nothing is
repaired: the only rewriting is the one that RFC 3986, section 6.2.2 calls equivalent (escapes in
upper case, unreserved characters unescaped, raw UTF-8 escaped).

Where real servers still differ (`;parameters`, an encoded question mark, an encoded slash that a
route lets through), the target carries every reading, and whoever decides takes the strictest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, partial
from ipaddress import IPv6Address
from typing import NoReturn
from urllib.parse import unquote_to_bytes

from ssogate.errors import BadHeaders, BadHost, BadTarget, MethodRefused
from ssogate.model import Target

MAX_TARGET = 8190  # bytes; gunicorn's own ceiling for a request line is 8190

# RFC 9110, section 5.6.2 in capitals: methods are case-sensitive, and `get` is nobody's method.
METHOD = re.compile(r"[A-Z][A-Z0-9_\-]{0,31}")
_REFUSED_METHODS = frozenset({"TRACE", "TRACK", "CONNECT", "DEBUG"})

# The ordinary path, which is its own canonical form: no escape, no empty or dot segment, no ";".
_PLAIN_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9\-._~!$&'()*+,=:@]+)*/?")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
# RFC 3986 pchar and "/", and the brackets and bar that browsers send as they are.
_PATH_BYTES = _UNRESERVED | frozenset(b"!$&'()*+,;=:@/%[]|")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")
# What a server that decodes twice would take for structure: dot, slash, backslash, NUL, percent,
# and the signs that end a segment or a path (`;`, `?`, `#`).
_TWICE_ENCODED = re.compile(r"%(?:2[3eEfF5]|3[bBfF]|5[cC]|00)")
# Raw UTF-8 in a query is sent by many clients, and no server reads it as structure.
_QUERY = re.compile(r"[\x21-\x22\x24-\x7e\x80-\xff]*")

_LABEL = r"[a-z0-9_](?:[a-z0-9_\-]{0,61}[a-z0-9_])?"
_HOST = re.compile(
    rf"(?P<host>{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]{{2,45}}\])\.?(?::(?P<port>[0-9]{{1,5}}))?"
)


def parse_target(
    method: str,
    raw_target: str,
    host_header: str,
    *,
    encoded_slash: bool = False,
    double_slash: bool = False,
) -> Target:
    """Give the canonical target of a request line and its Host header (latin-1 text, as in WSGI).

    `encoded_slash` and `double_slash` let one ambiguous spelling through by name, for an app that
    needs it; its readings are then judged together.

    Raises `BadTarget`, `BadHost`, `BadHeaders` (an absolute form for another host, RFC 9112,
    section 3.2.2) and `MethodRefused`.
    """
    if not METHOD.fullmatch(method) or method in _REFUSED_METHODS:
        raise MethodRefused(f"method {method[:40]!r}")
    host, _ = parse_host(host_header)
    raw_path, query = _split(raw_target, host)
    if _PLAIN_PATH.fullmatch(raw_path) and raw_path:
        return Target(method, host, raw_path, raw_path, query, (tuple(raw_path[1:].split("/")),))
    path = _canonical_path(raw_path)
    text = _decoded(path)
    readings = _readings(path, text, encoded_slash=encoded_slash, double_slash=double_slash)
    return Target(method, host, path, text, query, readings)


@lru_cache(maxsize=256)  # bounded, since visitors choose the header
def parse_host(header: str) -> tuple[str, str]:
    """Give the canonical host (lower case, no trailing dot) and the port (or "") of a Host header.

    Raises `BadHost`.
    """
    found = _HOST.fullmatch(header.lower()) if len(header) <= 260 else None
    if not found:
        raise BadHost(f"Host {header[:80]!r}")
    host, port = found["host"], found["port"] or ""
    if port and not 0 < int(port) < 65536:
        raise BadHost(f"port {port}")
    return (_ipv6(host) if host.startswith("[") else host), port


def authority(host: str, header: str) -> str:
    """Give a Host header as it was judged, its host being `host`: an app that takes `APP.Example.`
    for a name that it does not know would serve its default site instead."""
    _, port = parse_host(header)
    return f"{host}:{port}" if port else host


def _ipv6(literal: str) -> str:
    """The one spelling of an IPv6 address in brackets (RFC 5952)."""
    try:
        return f"[{IPv6Address(literal[1:-1])}]"
    except ValueError as error:
        raise BadHost(f"Host {literal!r}") from error


def _split(raw: str, host: str) -> tuple[str, str]:
    """Path and query of an origin-form target, or of an absolute form that agrees with Host."""
    if len(raw) > MAX_TARGET:
        _refuse("longer than a request line may be")
    if not raw.startswith("/"):
        raw = _origin_form(raw, host)
    path, _, query = raw.partition("?")
    if not _QUERY.fullmatch(query):
        _refuse("a fragment, a space or a control character in the query")
    return path, query


def _origin_form(raw: str, host: str) -> str:
    scheme, mark, rest = raw.partition("://")
    if not mark or scheme.lower() not in ("http", "https"):
        _refuse("neither a path nor an http URL")
    cut = min((i for i in (rest.find("/"), rest.find("?")) if i >= 0), default=len(rest))
    if parse_host(rest[:cut])[0] != host:
        raise BadHeaders("the absolute request target names another host than Host does")
    origin = rest[cut:]
    return origin if origin.startswith("/") else "/" + origin


def _canonical_path(raw: str) -> str:
    if "%" in _ESCAPE.sub("", raw):
        _refuse("a percent sign that starts no escape")
    canonical: list[str] = []
    for byte in _ESCAPE.sub(_normal_escape, raw).encode("latin-1"):
        if byte in _PATH_BYTES or byte == 0x25:
            canonical.append(chr(byte))
        elif byte > 0x7F or byte in b'"<>^`{}':
            canonical.append(f"%{byte:02X}")
        else:
            _refuse(f"the character {chr(byte)!r}")
    return "".join(canonical)


def _normal_escape(found: re.Match[str]) -> str:
    byte = int(found[1], 16)
    return chr(byte) if byte in _UNRESERVED else f"%{byte:02X}"


def _decoded(path: str) -> str:
    try:
        text = unquote_to_bytes(path).decode("utf-8")
    except UnicodeDecodeError:
        _refuse("escapes that are not UTF-8")
    if _CONTROL.search(text):
        _refuse("an encoded control character or backslash")
    if _TWICE_ENCODED.search(text):
        _refuse("structure that is encoded twice")
    return text


def _readings(
    path: str, text: str, *, encoded_slash: bool, double_slash: bool
) -> tuple[tuple[str, ...], ...]:
    """Every way in which servers cut the path into segments; the literal one first.

    Behind one server stands another, so what each leaves is read again by all of them.
    """
    if "%2F" in path and not encoded_slash:
        _refuse("an encoded slash")
    literal = tuple(unquote_to_bytes(part).decode("utf-8") for part in path[1:].split("/"))
    views = [view for sign, view in _VIEWS.items() if sign in text]
    readings = _seen_through(views, literal)
    if any(segment.strip() in (".", "..") for reading in readings for segment in reading):
        _refuse("a dot segment")
    if any("" in reading[:-1] for reading in readings):
        if not double_slash:
            _refuse("an empty segment")
        readings = _seen_through([*views, _squeezed], literal)
    return readings


def _seen_through(views: Iterable[_View], literal: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Every reading that comes of the literal one by any of the views, in any order."""
    readings = {literal: None}
    waiting = [literal]
    while waiting:
        reading = waiting.pop()
        found = [seen for view in views if (seen := view(reading)) not in readings]
        readings.update(dict.fromkeys(found))
        waiting += dict.fromkeys(found)
    return tuple(readings)


def _split_anew(reading: tuple[str, ...]) -> tuple[str, ...]:
    """A slash that was encoded separates segments like any other."""
    return tuple("/".join(reading).split("/"))


def _without_parameters(reading: tuple[str, ...]) -> tuple[str, ...]:
    """Servlet containers drop each segment's parameters before they route."""
    return tuple(segment.partition(";")[0] for segment in reading)


def _cut_at(mark: str, reading: tuple[str, ...]) -> tuple[str, ...]:
    """What is left for a server that parses the decoded path as a URL once more, as Apache did
    that served `/admin.php%3Fx.php` as /admin.php (CVE-2024-38473)."""
    for number, segment in enumerate(reading):
        if mark in segment:
            return (*reading[:number], segment.partition(mark)[0])
    return reading


def _squeezed(reading: tuple[str, ...]) -> tuple[str, ...]:
    return (*filter(None, reading[:-1]), reading[-1])


_View = Callable[[tuple[str, ...]], tuple[str, ...]]
# By the sign that a path must hold to be seen so.
_VIEWS: Mapping[str, _View] = {
    "/": _split_anew,
    ";": _without_parameters,
    "?": partial(_cut_at, "?"),
    "#": partial(_cut_at, "#"),
}


def _refuse(reason: str) -> NoReturn:
    raise BadTarget(reason)
