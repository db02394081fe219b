"""Addresses and names of the network, each in one spelling.

What has two readings is refused with the spelling to write, never repaired: a URL with a user
part, a network with host bits, a host that some resolvers take for a number.
"""

from __future__ import annotations

import re
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_network,
)
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    BeforeValidator,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainValidator,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema

_LABEL = r"[a-z0-9_](?:[a-z0-9_\-]{0,61}[a-z0-9_])?"  # as `http.target` reads Host
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
# WHATWG URL, "ends in a number": browsers and libc read such a name as an IPv4 address.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
# RFC 3986, and nothing that parsers of URLs differ over: no user part, fragment, backslash,
# space, control or non-ASCII character.
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._\-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[a-z0-9\-._~!$&'()*+,;=:@/%]*)?(?P<query>\?[a-z0-9\-._~!$&'()*+,;=:@/?%\[\]{}]*)?",
    re.IGNORECASE | re.ASCII,
)
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_DOT_SEGMENT = re.compile(r"/(?:\.|%2e){1,2}(?:/|\Z)", re.IGNORECASE)
_PORTS = {"http": 80, "https": 443}


def host_name(text: Any) -> str:
    """Give a host in lower case: a DNS name, an IPv4 address or an IPv6 address in brackets.

    Raises ValueError.
    """
    if not isinstance(text, str):
        raise ValueError("write a host name, such as app.example")
    host = text.lower()
    if ":" in host:
        return _ipv6(host)
    if not host.isascii():
        raise ValueError("write the host name in its ASCII form (xn--…)")
    if not _NAME.fullmatch(host) or len(host) > 253:
        raise ValueError("write a host name alone, such as app.example: no scheme, port or path")
    if _NUMBER.fullmatch(host.rpartition(".")[2]):
        try:
            return str(IPv4Address(host))
        except ValueError:
            raise ValueError("write an IPv4 address as four plain numbers") from None
    return host


def host_pattern(text: Any) -> str:
    """Give a host, or `*.example.com` for every host below one. Raises ValueError."""
    star = "*." if isinstance(text, str) and text.startswith("*.") else ""
    bare = text[len(star) :] if isinstance(text, str) else text
    if isinstance(bare, str) and "*" in bare:
        raise ValueError("a * may stand only at the start, as in *.example.com")
    return star + host_name(bare)


def _ipv6(host: str) -> str:
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        address = IPv6Address(bare)
    except ValueError:
        raise ValueError("write a host name or address alone, without a port") from None
    if address.scope_id or address.ipv4_mapped:
        raise ValueError("write the plain address: no zone, no IPv4 address inside an IPv6 one")
    return f"[{address}]"


class Url(str):
    """An absolute http or https URL in one spelling; it is a plain `str` to whoever sends it on.

    Scheme and host are in lower case, the default port is left out, an empty path is `/`.
    """

    __slots__ = ()

    @property
    def scheme(self) -> str:
        return self._parts.scheme

    @property
    def host(self) -> str:
        """Lower case, without a port; an IPv6 address keeps its brackets."""
        return self._parts.netloc.rpartition(":")[0] if self._parts.port else self._parts.netloc

    @property
    def port(self) -> int | None:
        """None for the scheme's own."""
        return self._parts.port

    @property
    def path(self) -> str:
        """Begins with a slash."""
        return self._parts.path

    @property
    def query(self) -> str:
        """Without the question mark."""
        return self._parts.query

    @property
    def origin(self) -> str:
        """Scheme, host and port (RFC 6454), without a slash at the end."""
        return f"{self.scheme}://{self._parts.netloc}"

    @property
    def _parts(self) -> SplitResult:
        return urlsplit(self)  # safe here: of what it misreads, nothing gets past `url`

    @classmethod
    def __get_pydantic_core_schema__(
        cls, _source: Any, _handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            url, serialization=core_schema.to_string_ser_schema()
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _core: core_schema.CoreSchema, _handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {
            "type": "string",
            "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://[^/?#@\\\\ ]+([/?][^#\\\\ ]*)?$",
            "examples": ["https://app.example/", "http://127.0.0.1:9000/"],
        }


def url(text: Any) -> Url:
    """Read a URL. Raises ValueError, whose text does not repeat it: it may hold a password."""
    if isinstance(text, Url):
        return text
    found = _URL.fullmatch(text) if isinstance(text, str) and len(text) <= 2048 else None
    if not found:
        raise ValueError(_why_no_url(text))
    path = found["path"] or "/"
    if _BROKEN_ESCAPE.search(path) or _BROKEN_ESCAPE.search(found["query"] or ""):
        raise ValueError("a percent sign starts an escape: write %25 for the sign itself")
    if _DOT_SEGMENT.search(path):
        raise ValueError("write the path without . and .. segments")
    scheme, port = found["scheme"].lower(), int(found["port"] or 0)
    if found["port"] and not 0 < port < 65536:
        raise ValueError("write a port from 1 to 65535")
    written = f":{port}" if port and port != _PORTS[scheme] else ""
    return Url(f"{scheme}://{host_name(found['host'])}{written}{path}{found['query'] or ''}")


def _why_no_url(text: Any) -> str:
    if not isinstance(text, str) or not re.match(r"https?://", text, re.IGNORECASE):
        return "write a URL with its scheme, such as https://app.example/"
    if "@" in re.split(r"[/?#\\]", text.partition("://")[2])[0]:
        return "write the URL without a user or password"
    if "#" in text:
        return "write the URL without a fragment (#…)"
    if not text.isascii():
        return "write the URL in ASCII: the host as xn--…, other characters as %XX"
    return "write scheme, host, and if needed port, path and query; escape other characters as %XX"


def network(value: Any) -> IPv4Network | IPv6Network:
    """Read an address or a network in CIDR form. Raises ValueError that says what to write."""
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    if not isinstance(value, str) or "%" in value:
        raise ValueError("write an address or a network, such as 10.0.0.0/8")
    address, slash, _ = value.partition("/")
    try:
        found = ip_network(value)
    except ValueError:
        try:
            around = ip_network(value, strict=False)
        except ValueError:
            raise ValueError("write an address or a network, such as 10.0.0.0/8") from None
        raise ValueError(
            f"{value} is an address inside a network: write {around} for all of the network "
            f"or {address} for the one address"
        ) from None
    if slash and not value.rpartition("/")[2].isdigit():
        raise ValueError(f"write {found}")
    if isinstance(found, IPv6Network) and found.network_address.ipv4_mapped:
        raise ValueError("write IPv4 addresses in their own form, such as 10.0.0.0/8")
    return found


def header_name(text: Any) -> str:
    """Read a header name: letters, digits and hyphens.

    RFC 9110, section 5.6.2 allows more, but what else is allowed is folded to `_` by CGI and so
    read by an app as some other header. Raises ValueError.
    """
    if not isinstance(text, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,63}", text):
        raise ValueError(
            "write a header name of letters, digits and hyphens, such as X-Remote-User"
        )
    return text


HostPattern = Annotated[
    str,
    BeforeValidator(host_pattern),
    WithJsonSchema({"type": "string", "examples": ["app.example", "*.example.com"]}),
]
"""A host in lower case, as `http.target` gives it: a DNS name, or an IP literal; or
`*.example.com` for every host below one, at any depth, but not itself."""

Network = Annotated[
    IPv4Network | IPv6Network,
    PlainValidator(network),
    WithJsonSchema({"type": "string", "examples": ["10.0.0.0/8", "2001:db8::/32", "192.0.2.7"]}),
]
"""An address, or a network in CIDR form without host bits."""

HeaderName = Annotated[
    str,
    BeforeValidator(header_name),
    WithJsonSchema(
        {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9-]{0,63}$", "examples": ["X-Remote-User"]}
    ),
]
"""A header name that no server folds into another one."""
