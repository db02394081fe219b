"""Connections to control panels: to a server's own addresses, verified, and within limits.

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

from ssogate.launch.module import Answer, PanelError
from ssogate.model import Address, Server
from ssogate.policy.networks import Networks, unmapped

MAX_ANSWER = 2**20  # bytes; an answer that signs somebody in has a few hundred
POOLS = 256  # addresses to which connections are kept; beyond, those used least lately are closed
IDLE = 16  # connections kept to each

# --- Where it goes --------------------------------------------------------------------------------

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")


def system_addresses(host: str, port: int) -> list[str]:
    """Ask the system's resolver, which keeps its own time limits. Raises `OSError`."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def _is_public(address: Address) -> bool:
    """Whether an address, and the one that a network on the way would make of it, is anybody's."""
    address = unmapped(address)
    if isinstance(address, IPv6Address):
        hidden = IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else address.sixtofour
        if hidden:
            return _is_public(hidden)
        return address in _GLOBAL_UNICAST and address.is_global
    return address.is_global and not address.is_multicast


# --- Sockets that keep the deadline ---------------------------------------------------------------

_until: ContextVar[float] = ContextVar("until")
"""When the call of this thread must be over, by `time.monotonic`."""


def _left() -> float:
    left = _until.get() - time.monotonic()
    if left <= 0:
        raise TimeoutError("the time is up")
    return left


class _Punctual(socket.socket):
    """A socket each of whose operations ends with the call that it is part of."""

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
    does for us is in the module log, masked."""
    return _until.get(None) is None


for _name in ("connection", "connectionpool", "poolmanager", "response", "util.retry"):
    logging.getLogger(f"urllib3.{_name}").addFilter(_quiet)


# --- Connections ----------------------------------------------------------------------------------


class Connections:
    """The connections to panels, kept open between the launches of a process. Thread-safe.

    `networks` are private ones in which panels may be; `ca_files` by a server's name: what to trust
    for that server in place of the system's authorities. `resolve` gives the addresses of a host.
    Raises `OSError` for a file that holds no certificate.
    """

    def __init__(
        self,
        *,
        networks: Networks,
        ca_files: Mapping[str, Path],
        resolve: Callable[[str, int], Iterable[str]] = system_addresses,
    ) -> None:
        self._networks, self._resolve = networks, resolve
        self._system = _tls(None)
        self._own = {name: _tls(file) for name, file in ca_files.items()}
        self._pools = PoolManager(POOLS, maxsize=IDLE)
        self._pools.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}

    def exchange(
        self,
        server: Server,
        port: int,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        until: float,
    ) -> Answer:
        """Send a request as it is, once, and give the answer, whatever its status.

        It is over at `until`, by `time.monotonic`; only the system's resolver keeps its own time.
        Raises `PanelError`, which quotes nothing of request or answer.
        """
        ours = _until.set(until)
        try:
            pools = [self._pool(server, each, port) for each in self._addresses(server, port)]
            for index, pool in enumerate(pools):
                seconds = _left() / (len(pools) - index)
                try:
                    return _ask(pool, method, target, headers=headers, body=body, seconds=seconds)
                except (NewConnectionError, ConnectTimeoutError):
                    continue  # nothing was sent
            raise PanelError(f"no connection to any address of {server.hosts[0]}")
        except (HTTPError, HTTPException, OSError, ValueError) as error:
            # Without its cause, which may quote what was sent.
            raise PanelError(_told(error, server.hosts[0], until)) from None
        finally:
            _until.reset(ours)

    def _addresses(self, server: Server, port: int) -> list[Address]:
        host = server.hosts[0]
        try:
            found = [ipaddress.ip_address(text) for text in self._resolve(host, port)]
        except (OSError, ValueError) as error:
            raise PanelError(f"{host} has no address") from error
        for address in found:
            written = str(unmapped(address)) in server.hosts
            if not (written or address in self._networks or _is_public(address)):
                raise PanelError(f"{host} is at {address}, a private address that is not allowed")
        return list(dict.fromkeys(found))

    def _pool(self, server: Server, address: Address, port: int) -> HTTPConnectionPool:
        if not server.secure:
            return self._pools.connection_from_host(str(address), port, "http")
        # The key of a pool: one for each name and trust, not only for each address.
        options = {
            "ssl_context": self._own.get(server.name, self._system),
            "server_hostname": server.hosts[0],
        }
        return self._pools.connection_from_host(str(address), port, "https", options)


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file)
    context.sslsocket_class = _PunctualTls
    return context


def _ask(
    pool: HTTPConnectionPool,
    method: str,
    target: str,
    *,
    headers: Mapping[str, str],
    body: bytes | None,
    seconds: float,
) -> Answer:
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
        return Answer(response.status, names, _body(response))


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
            raise PanelError(f"an answer of more than {MAX_ANSWER} bytes")
    return body
