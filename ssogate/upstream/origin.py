"""Where an upstream listens, and how it is dialled: TCP, TLS over TCP, or a unix socket."""

from __future__ import annotations

import errno
import re
import socket
import ssl
from dataclasses import dataclass
from functools import cache

from ssogate.errors import BadHost, UpstreamBusy, UpstreamUnreachable
from ssogate.http.target import parse_host

# This process or machine has no room for another socket, which says nothing of the server.
_OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_URL = re.compile(r"(?P<scheme>https?)://(?P<authority>[^/?#\\@\s]+)", re.IGNORECASE)
_UNIX_URL = re.compile(r"http\+unix:(?P<path>/(?!/)[\x21-\x7e]+)")
_MAX_UNIX_PATH = 107  # bytes; sockaddr_un holds 108 with the closing NUL
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Origin:
    """A scheme, host and port, or the path of a unix socket."""

    scheme: str
    host: str
    port: int
    unix_path: str = ""

    @property
    def authority(self) -> str:
        """The Host header that an upstream knows itself by."""
        return self.host if self.port == _DEFAULT_PORTS[self.scheme] else f"{self.host}:{self.port}"

    def own_path(self, url: str, name: str = "") -> str | None:
        """Give what follows the origin in a URL that points at it; None for any other URL.

        `name` is another host name that the upstream was told to be known by.
        """
        found = _pointing_at(self, name).match(url)
        return url[found.end() :] if found else None

    def __str__(self) -> str:
        return f"unix:{self.unix_path}" if self.unix_path else f"{self.scheme}://{self.authority}"


@cache
def _pointing_at(origin: Origin, name: str) -> re.Pattern[str]:
    port = f"(?::{origin.port})" + "?" * (origin.port == _DEFAULT_PORTS[origin.scheme])
    names = [re.escape(origin.host) + port, *([re.escape(name)] if name else [])]
    return re.compile(rf"{origin.scheme}://(?:{'|'.join(names)})(?=[/?#]|\Z)", re.IGNORECASE)


def parse_origin(url: str) -> Origin:
    """Read `http://host:port`, `https://host:port` or `http+unix:/path`.

    Raises `ValueError` that says what to write.
    """
    if found := _UNIX_URL.fullmatch(url):
        if len(found["path"]) > _MAX_UNIX_PATH:
            raise ValueError(f"a unix socket's path has at most {_MAX_UNIX_PATH} bytes")
        return Origin("http", "localhost", 80, found["path"])
    found = _URL.match(url)
    if not found:
        raise ValueError("write http://host:port, https://host:port or http+unix:/path/to/socket")
    if found.end() != len(url):
        raise ValueError(f"write {found[0]} without a path; a path goes into a route's add_prefix")
    scheme = found["scheme"].lower()
    try:
        host, port = parse_host(found["authority"])
    except BadHost as error:
        raise ValueError("write a host name or address, and a port if need be") from error
    return Origin(scheme, host, int(port or _DEFAULT_PORTS[scheme]))


def tls_context(ca_file: str | None, *, insecure_skip_verify: bool) -> ssl.SSLContext:
    """Give the TLS settings for an upstream; the system's authorities unless `ca_file` is given.

    Raises `OSError` (of which `ssl.SSLError` is one) for a file that holds no certificate.
    """
    context = ssl.create_default_context(cafile=ca_file)
    # In the middle of an upload, a renegotiation would have a send wait for something to read.
    context.options |= ssl.OP_NO_RENEGOTIATION
    # Python sets it so that OpenSSL 3 takes an end without TLS's own closing message for an
    # orderly one. Anybody on the way can make such an end.
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    if insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def dial(origin: Origin, tls: ssl.SSLContext | None, timeout: float) -> socket.socket:
    """Open a connection within `timeout` seconds (for each address that the name has).

    Raises `UpstreamUnreachable`, a slow connect included: nothing has been sent yet.
    """
    try:
        if origin.unix_path:
            return _dial_unix(origin.unix_path, timeout)
        sock = socket.create_connection((origin.host.strip("[]"), origin.port), timeout)
    except (OSError, UnicodeError) as error:  # UnicodeError: a name that IDNA cannot encode
        if getattr(error, "errno", None) in _OURS:
            raise UpstreamBusy(f"{origin}: {error}") from error
        raise UpstreamUnreachable(f"{origin}: {error}") from error
    try:
        # Head and body leave in one send, so there is nothing for Nagle's algorithm to gather.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is None:
            return sock
        # The same for older versions of OpenSSL.
        return tls.wrap_socket(
            sock, server_hostname=origin.host.strip("[]"), suppress_ragged_eofs=False
        )
    except (OSError, ValueError) as error:
        sock.close()
        raise UpstreamUnreachable(f"{origin}: {error}") from error


def _dial_unix(path: str, timeout: float) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(timeout)
        sock.connect(path)
    except BaseException:
        sock.close()
        raise
    return sock
