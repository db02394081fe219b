"""The environ keys of the gate: each has one writer, and here its typed reader.

A reader computes what no outer layer has set, so that every layer works alone; only what it
reads from the server itself (never a header that a visitor may forge) is believed then.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, cast
from urllib.parse import quote

from ssogate.errors import BadMount, BadTarget, GateError
from ssogate.http.target import parse_target
from ssogate.model import Address, Session, Target

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from ssogate.http.theme import Pages

ParseTarget = Callable[[str, str, str], Target]

REQUEST_ID = "ssogate.request_id"  # written by Boundary
PAGES = "ssogate.pages"  # written by Boundary
TARGET = "ssogate.target"  # written by Edge
CLIENT = "ssogate.client"  # written by Edge
PROGRAM = "ssogate.program"  # written by Edge
SCHEME = "ssogate.scheme"  # written by Edge
ORIGINAL = "ssogate.original"  # written by Edge
SESSION = "ssogate.session"  # written by Sessions
PRIVATE = "ssogate.private"  # written by Guard
FAILED = "ssogate.failed"  # written by the server's worker


def new_request_id() -> str:
    """Give a label for log lines: 64 random bits, in hex. It is no secret, so it may cost no
    system call."""
    return f"{random.getrandbits(64):016x}"


def request_id(environ: WSGIEnvironment) -> str:
    """Give the request's id, as in logs and on error pages."""
    found = environ.get(REQUEST_ID)
    if found is None:
        found = environ[REQUEST_ID] = new_request_id()
    return cast(str, found)


def pages(environ: WSGIEnvironment) -> Pages | None:
    """Give what the site's pages are made of, or None for our own."""
    return cast("Pages | None", environ.get(PAGES))


def target(environ: WSGIEnvironment) -> Target:
    """Give what the request asks for. Raises what `parse_target` raises, and `BadMount`."""
    found = environ.get(TARGET)
    return cast(Target, found) if found is not None else read_target(environ)


def read_target(environ: WSGIEnvironment, parse: ParseTarget = parse_target) -> Target:
    """Compute the target from what the server passes, and hold the server to it.

    The raw request target is `RAW_URI` (gunicorn) or `REQUEST_URI` (uWSGI, waitress, mod_wsgi);
    without either, `PATH_INFO` is all that there is to judge. Raises what `parse` raises,
    `BadMount`, and `BadTarget` where the server itself reads the path in another way.
    """
    if environ.get("SCRIPT_NAME"):
        raise BadMount(f"SCRIPT_NAME {environ['SCRIPT_NAME'][:80]!r}")
    raw = environ.get("RAW_URI") or environ.get("REQUEST_URI")
    if not raw:
        query = environ.get("QUERY_STRING", "")
        path = quote(environ.get("PATH_INFO", "").encode("latin-1"), safe="/;!$&'()*+,=:@~[]|")
        raw = f"{path or '/'}?{query}" if query else path or "/"
    found = parse(environ["REQUEST_METHOD"], raw, environ.get("HTTP_HOST", ""))
    if (environ.get("PATH_INFO") or "/") != path_info(found):
        raise BadTarget("the server's PATH_INFO is not what the request line says")
    return found


def path_info(target: Target) -> str:
    """Give `PATH_INFO` for a target: UTF-8 bytes as a latin-1 native string (PEP 3333)."""
    text = target.path_info
    return text if text.isascii() else text.encode().decode("latin-1")


def address(environ: WSGIEnvironment) -> str:
    """Give the visitor's address as a text; empty where there is none."""
    return str(client(environ) or "")


def client(environ: WSGIEnvironment) -> Address | None:
    """Give the visitor's address, or None where there is none (a unix socket)."""
    if CLIENT in environ:
        return cast("Address | None", environ[CLIENT])
    return parse_address(environ.get("REMOTE_ADDR", ""))


def program(environ: WSGIEnvironment) -> Address | None:
    """Give the address of a program that calls. A visitor whom a trusted proxy names by something
    that is no address has the proxy's; a program has none then, for an address is half its key."""
    return cast("Address | None", environ[PROGRAM]) if PROGRAM in environ else client(environ)


@lru_cache(maxsize=1024)
def parse_address(text: str) -> Address | None:
    """Give an IP address in its one form (`::ffff:10.0.0.1` is `10.0.0.1`), or None.

    A zone (`fe80::1%eth0`) is of this machine only and says nothing of networks: it is dropped.
    """
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def scheme(environ: WSGIEnvironment) -> str:
    """Give `http` or `https`, as the visitor used it."""
    return cast(str, environ.get(SCHEME) or environ.get("wsgi.url_scheme", "http"))


def origin_host(environ: WSGIEnvironment) -> str:
    """Give the Host header (host and port) of a request whose target was accepted."""
    return cast(str, environ.get("HTTP_HOST", ""))


def original(environ: WSGIEnvironment) -> tuple[str, str] | None:
    """Give the method and the raw target of the request about which a trusted proxy asks."""
    found: tuple[str, str] | None = environ.get(ORIGINAL)
    return found


def session(environ: WSGIEnvironment) -> Session | None:
    """Give the live session that the request carries, or None."""
    return cast("Session | None", environ.get(SESSION))


def failed(environ: WSGIEnvironment) -> GateError | None:
    """Give why the request, which has been sent on already, has no answer."""
    found: GateError | None = environ.get(FAILED)
    return found


def private(environ: WSGIEnvironment) -> bool:
    """Whether the answer is for this visitor only, and no shared cache may give it to another."""
    return bool(environ.get(PRIVATE, session(environ) is not None))
