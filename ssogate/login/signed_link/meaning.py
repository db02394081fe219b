"""What a link says, once its text is signed: who, when, where to. Steps of a diagnosis.

Whether it *was* signed is another step's question: here it is signed anew with the sender's own
secret, so that `decode` and the login method can be asked what they make of it.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import cast
from urllib.parse import parse_qsl, urlencode

from werkzeug.test import create_environ
from werkzeug.wrappers import Request

from ssogate.errors import GateError
from ssogate.http.redirects import local_path
from ssogate.login.signed_link.finding import Finding, Steps, misspelt, shown, told
from ssogate.login.signed_link.link import REQUIRED, Link, decode, digest, verify
from ssogate.login.signed_link.method import SignedLink
from ssogate.login.signed_link.settings import SignedLinkSettings
from ssogate.model import SignIn
from ssogate.names import canonical_name


def contents(text: str, mode: str, settings: SignedLinkSettings) -> Steps[Link | None]:
    """Judge the inner parameters; give the link if they are in order."""
    try:
        link = _decoded(text, settings, REQUIRED[mode])
    except GateError as error:
        fields = _inner(text)
        yield Finding(False, "contents", told(error, misspelt(error, fields) or _why(fields)))
        return None
    canonical = canonical_name(link.username)
    compared = "" if canonical == link.username else f" (compared as {shown(canonical)})"
    others = "".join(f", {shown(text)}" for text in (link.name, link.email) if text)
    yield Finding(True, "contents", f"user {shown(link.username)}{compared}{others}")
    return link


def _decoded(text: str, settings: SignedLinkSettings, required: Sequence[str]) -> Link:
    secret, algorithm = settings.secrets[0].bytes, settings.algorithm
    signed = verify(text, digest(text, secret, algorithm), [secret], algorithm)
    return decode(signed, required=required)


def _inner(text: str) -> dict[str, str]:
    """The inner parameters as far as anything can be made out; for hints only."""
    try:
        raw = b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return {}
    return dict(parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True))


def _why(fields: Mapping[str, str]) -> str:
    """Guess at what is behind a refusal."""
    time = fields.get("t", "")
    if any(key.startswith(("{", "[")) for key in fields):
        return "it looks like JSON; write username=…&name=…&email=…"
    if re.fullmatch(r"[0-9]{12,14}", time):
        return "t counts milliseconds; give seconds"
    if re.fullmatch(r"[0-9]+\.[0-9]*", time):
        return "t has decimals; give whole seconds"
    if time and not time.isdigit():
        return "t must be a number: the seconds since 1970-01-01, UTC"
    return ""


# --- When -----------------------------------------------------------------------------------------


def age(link: Link, settings: SignedLinkSettings, now: float) -> Finding:
    """Judge `t` as the login method does; `now` counts in Unix seconds."""
    if not settings.verify_timestamp:
        return Finding(True, "time", "not judged (`verify_timestamp: false`): it never expires")
    if link.issued_at is None:
        return Finding(False, "time", "400E1 t is missing: the time of signing, in Unix seconds")
    seconds = now - link.issued_at
    signed = f"signed at {_moment(link.issued_at)}"
    if seconds < -settings.clock_skew:
        ahead = f"400E2 {signed}, which is {_span(-seconds)} ahead of this machine's clock"
        return Finding(False, "time", ahead + _zone(seconds))
    if seconds > settings.expiry:
        old = f"400E3 {signed}, {_span(seconds)} ago; a link is good for {_span(settings.expiry)}"
        return Finding(False, "time", old + _zone(seconds))
    left = _span(settings.expiry - seconds)
    return Finding(True, "time", f"{signed}; good for another {left}")


def _zone(seconds: float) -> str:
    """A difference of whole half hours, no more than any time zone's, is a time zone."""
    off = round(seconds / 1800) * 1800
    if off and abs(off) <= 14 * 3600 and abs(seconds - off) < 120:
        return f". It is off by {_span(abs(off))}: does the sender take local time for UTC?"
    return ""


def _moment(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _span(seconds: float) -> str:
    """Give a duration in the two largest units that it has."""
    left, parts = round(seconds), []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        parts += [f"{count} {unit}"] if count else []
    return " ".join(parts[:2]) or "0 s"


# --- Which groups, and where to -------------------------------------------------------------------


def wanted(
    link: Link,
    settings: SignedLinkSettings,
    policy_groups: frozenset[str],
    *,
    text: str,
    claimed: str,
    beside: Mapping[str, str],
) -> SignIn:
    """Ask the login method what the link wants: at the moment of signing, from a page it allows.

    `claimed` is the right hash of `text`; `beside` are the redirect parameters of the URL.
    """
    relaxed = settings.model_copy(
        update={
            "enabled": True,
            "allowed_domains": (),
            "verify_timestamp": settings.verify_timestamp and link.issued_at is not None,
        }
    )
    method = SignedLink(relaxed, policy_groups, lambda: float(link.issued_at or 0))
    reply = method(request({"mode": "login", "query": text, "hash": claimed, **beside}))
    return cast(SignIn, reply)  # nothing is left that it could refuse or ask a visitor


def request(parameters: Mapping[str, str] | str, *, method: str = "GET") -> Request:
    """Give the request that a browser would make; a text is a raw query."""
    raw = parameters if isinstance(parameters, str) else urlencode(parameters)
    environ = create_environ(method=method)
    environ["QUERY_STRING"] = raw.encode("utf-8", "surrogateescape").decode("latin-1")
    return Request(environ)


def groups(link: Link, sign_in: SignIn, settings: SignedLinkSettings) -> Iterator[Finding]:
    """Say which groups the link gives."""
    if link.groups is None:
        return
    honoured = sign_in.assertion.groups or frozenset()
    ignored = link.groups - honoured
    detail = f"gives {_listed(honoured)}"
    if ignored and settings.groups_allowed is not None:
        detail += f"; ignores {_listed(ignored)}, which `groups_allowed` does not list"
    elif ignored:
        detail += f"; ignores {_listed(ignored)}, which no policy names"
    yield Finding(True, "groups", detail)


def _listed(names: frozenset[str]) -> str:
    return shown(", ".join(sorted(names))) if names else "none"


def destination(
    link: Link, sign_in: SignIn, beside: Mapping[str, str], settings: SignedLinkSettings
) -> Finding:
    """Say where the link leads, and what of its wishes is not heard."""
    asked = {**beside, **link.redirect}
    path = sign_in.return_to
    if not asked or path == local_path(asked.get("redirect", "")):
        return Finding(True, "destination", f"leads to {path.text}")
    if path != local_path(settings.default_page):
        return Finding(True, "destination", f"leads to {path.text}, by `redirects`")
    unheard = " ".join(f"{name}={shown(value)}" for name, value in asked.items())
    why = "no path of this site, nor a row of `redirects`"
    return Finding(True, "destination", f"leads to {path.text}: {unheard} is {why}, so is ignored")
