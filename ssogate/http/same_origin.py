"""Was a form sent by a page of ours? The cookie alone does not say: other sites' pages send it too.

Decided by what browsers say of themselves and no page can forge: `Sec-Fetch-Site` (Fetch Metadata)
and `Origin` (RFC 6454, section 7), so that our pages need no hidden tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ssogate.errors import BadHost, CrossSite
from ssogate.http import environ as env
from ssogate.http.target import parse_host

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_DEFAULT_PORTS = {"http": 80, "https": 443}

Origin = tuple[str, str, int]


def check_same_origin(environ: WSGIEnvironment, *, public_port: int | None = None) -> None:
    """Refuse a form that did not come from a page of ours.

    `public_port` is the port in `public_url`; None is the scheme's own. A browser names the port
    that it asked; a proxy may hide it from us (`Host $host`), so both that one and the port in
    Host count. Scheme and host are the ones that were judged, never a visitor's word. Raises
    `CrossSite`, and what `environ.target` raises.
    """
    site = environ.get("HTTP_SEC_FETCH_SITE")
    origin = environ.get("HTTP_ORIGIN")
    if site is None and origin is None:
        raise CrossSite("neither Origin nor Sec-Fetch-Site")
    if site is not None and site != "same-origin":
        raise CrossSite(f"Sec-Fetch-Site {site[:40]!r}")
    if origin is not None and _parsed(origin) not in _own(environ, public_port):
        raise CrossSite(f"Origin {origin[:300]!r}")


def comes_from_here(environ: WSGIEnvironment, *, public_port: int | None = None) -> bool:
    """Whether a link was followed on a page of ours, or its address typed: for what no page of
    another site may set off. A browser that does not say it (Fetch Metadata) may tell by `Referer`
    (RFC 9110, section 10.1.3). Raises what `environ.target` raises."""
    site = environ.get("HTTP_SEC_FETCH_SITE")
    if site is not None:
        return site in ("same-origin", "none")
    try:
        referrer = _parsed("/".join(environ.get("HTTP_REFERER", "").split("/", 3)[:3]))
    except CrossSite:
        return False
    return referrer in _own(environ, public_port)


def _own(environ: WSGIEnvironment, public_port: int | None) -> set[Origin]:
    scheme, host = env.scheme(environ), env.target(environ).host
    _, port = parse_host(env.origin_host(environ))
    usual = _DEFAULT_PORTS[scheme]
    return {(scheme, host, public_port or usual), (scheme, host, int(port or usual))}


def _parsed(origin: str) -> Origin:
    """An Origin in one spelling. Raises `CrossSite` for `null`, for two, and for anything else."""
    scheme, _, authority = origin.partition("://")
    try:
        host, port = parse_host(authority)
        return scheme, host, int(port or _DEFAULT_PORTS[scheme])
    except (BadHost, KeyError) as error:
        raise CrossSite(f"Origin {origin[:300]!r}") from error
