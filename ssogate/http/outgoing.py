"""Requests that the gate itself sends to other servers: to addresses that were judged, verified,
and within limits.

The host name is resolved here, each address is judged, and the connection goes to an address that
was judged: a name that changes its mind in between leads nowhere else. The deadline is kept by the
sockets themselves, so no part of an exchange can outlast it, however slowly it trickles.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from contextvars import ContextVar
from dataclasses import dataclass, field
from http.client import HTTPException
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from pathlib import Path
from typing import Any

from urllib3 import (
    BaseHTTPResponse,
    HTTPConnectionPool,
    HTTPSConnectionPool,
    PoolManager,
    Timeout,
)
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, SSLError

from ssogate.model import Address

MAX_ANSWER = 2**20  # bytes; what the gate asks for has a few hundred
POOLS = 256  # addresses to which connections are kept; beyond, those used least lately are closed
IDLE = 16  # connections kept to each

Resolve = Callable[[str, int], Iterable[str]]

# --- Where it goes --------------------------------------------------------------------------------

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")


def system_addresses(host: str, port: int) -> list[str]:
    """Ask the system's resolver, which keeps its own time limits. Raises `OSError`."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def is_public(address: Address) -> bool:
    """Whether an address, and the one that a network on the way would make of it, is anybody's."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return is_public(address.ipv4_mapped)
        hidden = IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else address.sixtofour
        if hidden:
            return is_public(hidden)
        return address in _GLOBAL_UNICAST and address.is_global
    return address.is_global and not address.is_multicast


# --- Sockets that keep the deadline ---------------------------------------------------------------

_until: ContextVar[float] = ContextVar("until")
"""When the exchange of this thread must be over, by `time.monotonic`."""


def _left() -> float:
    left = _until.get() - time.monotonic()
    if left <= 0:
        raise TimeoutError("the time is up")
    return left


class _Punctual(socket.socket):
    """A socket each of whose operations ends with the exchange that it is part of."""

    def recv_into(self, *args: Any, **options: Any) -> int:
        self.settimeout(_left())
        return super().recv_into(*args, **options)

    def send(self, *args: Any, **options: Any) -> int:
        self.settimeout(_left())
        return super().send(*args, **options)

    def sendall(self, *args: Any, **options: Any) -> None:
        self.settimeout(_left())
        super().sendall(*args, **options)


class _PunctualTls(_Punctual, ssl.SSLSocket):
    def do_handshake(self, block: bool = False) -> None:
        self.settimeout(_left())
        super().do_handshake(block)


class _Plain(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        opened = super()._new_conn()
        return _Punctual(opened.family, opened.type, opened.proto, opened.detach())


class _Tls(HTTPSConnection, _Plain):
    """Its context makes the TLS socket on top a punctual one, too."""


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _Tls


def _quiet(_record: logging.LogRecord) -> bool:
    """urllib3 logs the whole target of a request, and what it cannot read of an answer: what it
    does for us, whoever asks for it logs, masked."""
    return _until.get(None) is None


for _name in ("connection", "connectionpool", "poolmanager", "response", "util.retry"):
    logging.getLogger(f"urllib3.{_name}").addFilter(_quiet)


def trust(ca_file: Path | None = None) -> ssl.SSLContext:
    """Trust the system's authorities, or those of a file alone. Raises `OSError` for a file that
    holds no certificate."""
    context = ssl.create_default_context(cafile=ca_file)
    context.sslsocket_class = _PunctualTls
    return context


def holds_certificates(file: Path) -> bool:
    """Say whether `trust` can read a file."""
    try:
        trust(file)
    except (OSError, ValueError):
        return False
    return True


# --- Exchanges ------------------------------------------------------------------------------------


class ExchangeFailed(Exception):
    """No answer, or none that may be read. Quotes nothing of request or answer."""


@dataclass(frozen=True, slots=True)
class Received:
    """An answer, whole."""

    status: int
    headers: Mapping[str, str]
    """By their names in lower case."""
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Peer:
    """A server to ask: its name and port, whom to believe that it is the one (None: in clear), and
    which of its addresses may be asked."""

    host: str
    port: int
    trust: ssl.SSLContext | None
    allows: Callable[[Address], bool]


class Outgoing:
    """The connections of a process, kept open between exchanges. Thread-safe. `resolve` gives the
    addresses of a host."""

    def __init__(self, resolve: Resolve = system_addresses) -> None:
        self._resolve = resolve
        self._pools = PoolManager(POOLS, maxsize=IDLE)
        self._pools.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}

    def exchange(
        self,
        peer: Peer,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        until: float,
    ) -> Received:
        """Send a request as it is, once, and give the answer, whatever its status: no redirect is
        followed.

        It is over at `until`, by `time.monotonic`; only the system's resolver keeps its own time.
        Raises `ExchangeFailed`.
        """
        ours = _until.set(until)
        try:
            pools = [self._pool(peer, each) for each in self._addresses(peer)]
            for index, pool in enumerate(pools):
                seconds = _left() / (len(pools) - index)
                try:
                    return _ask(pool, method, target, headers=headers, body=body, seconds=seconds)
                except (NewConnectionError, ConnectTimeoutError):
                    continue  # nothing was sent
            raise ExchangeFailed(f"no connection to any address of {peer.host}")
        except (HTTPError, HTTPException, OSError, ValueError) as error:
            # Without its cause, which may quote what was sent.
            raise ExchangeFailed(_told(error, peer.host, until)) from None
        finally:
            _until.reset(ours)

    def _addresses(self, peer: Peer) -> list[Address]:
        try:
            found = [ipaddress.ip_address(text) for text in self._resolve(peer.host, peer.port)]
        except (OSError, ValueError) as error:
            raise ExchangeFailed(f"{peer.host} has no address") from error
        for address in found:
            if not peer.allows(address):
                told = f"{peer.host} is at {address}, a private address that is not allowed"
                raise ExchangeFailed(told)
        return list(dict.fromkeys(found))

    def _pool(self, peer: Peer, address: Address) -> HTTPConnectionPool:
        if peer.trust is None:
            return self._pools.connection_from_host(str(address), peer.port, "http")
        # The key of a pool: one for each name and trust, not only for each address.
        options = {"ssl_context": peer.trust, "server_hostname": peer.host}
        return self._pools.connection_from_host(str(address), peer.port, "https", options)


def _ask(
    pool: HTTPConnectionPool,
    method: str,
    target: str,
    *,
    headers: Mapping[str, str],
    body: bytes | None,
    seconds: float,
) -> Received:
    """Ask, with so many seconds to connect."""
    response = pool.urlopen(
        method,
        target,
        body,
        headers,
        retries=False,
        redirect=False,
        timeout=Timeout(connect=seconds, read=None),
        preload_content=False,
        decode_content=False,
    )
    with closing(response):
        names = {name.lower(): value for name, value in response.headers.items()}
        return Received(response.status, names, _body(response))


def _told(error: Exception, host: str, until: float) -> str:
    """Say what went wrong, in words that quote no request and no answer."""
    if time.monotonic() >= until:
        return f"{host} was not done in time"
    if isinstance(error, SSLError):
        return f"{host} is not trusted: {error}"
    chain = (error, *error.args)
    kinds = ": ".join(type(one).__name__ for one in chain if isinstance(one, Exception))
    return f"the exchange with {host} failed ({kinds})"


def _body(response: BaseHTTPResponse) -> bytes:
    body = b""
    while block := response.read(MAX_ANSWER + 1 - len(body), decode_content=False):
        body += block
        if len(body) > MAX_ANSWER:
            raise ExchangeFailed(f"an answer of more than {MAX_ANSWER} bytes")
    return body
