"""`upstreams:` and `routes:` of gateway.yaml, and how they are opened."""

from __future__ import annotations

import math
import ssl
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from ssogate.config import Duration, HeaderName, HostPattern, Settings, Size, Url
from ssogate.errors import GateError
from ssogate.http.identity import IdentityField, fold
from ssogate.http.target import parse_host, parse_target
from ssogate.upstream.balance import Balance
from ssogate.upstream.check import HealthCheckSettings
from ssogate.upstream.connection import Connection
from ssogate.upstream.headers import may_be_set
from ssogate.upstream.health import Health
from ssogate.upstream.origin import Origin, dial, parse_origin, tls_context
from ssogate.upstream.pool import Pool
from ssogate.upstream.route import Limits, Redirect, Route, RouteTable, Server, Upstream

MAX_WAIT = 7 * 86400  # seconds; what poll(2) counts in milliseconds ends at 24 days


def _origin(value: Any) -> Origin:
    if isinstance(value, Origin):
        return value
    if not isinstance(value, str):
        raise ValueError("write a text such as http://127.0.0.1:8001")
    return parse_origin(value)


_Origin = Annotated[
    Origin,
    PlainValidator(_origin),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^(https?://[^/?#]+|http\\+unix:/.+)$",
            "examples": ["http://127.0.0.1:8001", "http+unix:/run/app.sock"],
        }
    ),
]


def _host_header(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("write preserve, upstream or a host name")
    if value in ("preserve", "upstream"):
        return value
    try:
        parse_host(value)
    except GateError:
        raise ValueError(
            "write preserve, upstream or a host name, with a port if need be"
        ) from None
    return value.lower()


def _canonical_path(value: Any) -> str:
    """A path prefix as targets spell it: no closing slash, `/` for everything."""
    if not isinstance(value, str) or not value.startswith("/"):
        raise ValueError("write a path that starts with a slash, such as /app")
    if "?" in value or "#" in value:
        raise ValueError("write the path alone, without a query")
    try:
        canonical = parse_target("GET", value.encode().decode("latin-1"), "route").path
    except GateError as error:
        raise ValueError(f"this path cannot be asked for: {error.detail}") from None
    canonical = canonical.rstrip("/") or "/"
    if value != canonical:
        raise ValueError(f"write {canonical}: so it stands in requests, and covers all below it")
    return value


_Path = Annotated[
    str, PlainValidator(_canonical_path), WithJsonSchema({"type": "string", "examples": ["/app"]})
]


def _header_fields(value: dict[str, IdentityField]) -> dict[str, IdentityField]:
    for name in value:
        if not may_be_set(name):
            raise ValueError(f"{name} has a meaning of its own: choose another header")
    if len({fold(name) for name in value}) < len(value):
        raise ValueError("two of these names are one to a server: remove one")
    return value


IdentityHeaders = Annotated[dict[HeaderName, IdentityField], AfterValidator(_header_fields)]
"""Header name to field of the identity."""


class UpstreamSettings(Settings):
    """An application behind the gate."""

    url: _Origin | None = None
    """Where it listens: `http://host:port`, `https://host:port` or `http+unix:/path/of/socket`."""
    servers: Annotated[tuple[_Origin, ...], Field(max_length=64)] = ()
    """Where its servers listen, in place of `url`, when there are several that serve alike. Each
    request goes to the one with the fewest under way, and to another one if it cannot be
    reached."""
    host_header: Annotated[
        str,
        PlainValidator(_host_header),
        WithJsonSchema({"type": "string", "examples": ["preserve", "upstream", "app.internal"]}),
    ] = "preserve"
    """The Host header that it gets: the visitor's (`preserve`), the one of `url` (`upstream`), or
    a name of your choice."""
    connect_timeout: Duration = 5.0
    """How long a connection may take to open."""
    read_timeout: Duration = 60.0
    """How long to wait for its answer, and for each next piece of it."""
    write_timeout: Duration = 60.0
    """How long to wait when it does not take what is sent to it."""
    total_timeout: Duration | None = None
    """How long a request may take in all, up to the end of its answer; as long as it goes on, if
    not given. A WebSocket that is open may stay."""
    # Apache, Node.js and uvicorn hang up after 5 s. Who hangs up a moment before we send makes a
    # POST fail, for it must not be sent twice; gunicorn's own 2 s are met by looking at the wire.
    idle_lifetime: Duration = 4.0
    """How long an unused connection is kept. Keep it below the application's own limit."""
    max_connections: Annotated[int, Field(ge=1, le=10000, strict=True)] = 100
    """How many requests each worker process of the gate gives it at a time; each server, where it
    has several."""
    queue_timeout: Duration = 5.0
    """How long a request waits for its turn before the visitor is told to come back."""
    max_failures: Annotated[int, Field(ge=1, le=10000, strict=True)] = 5
    """How many requests in a row may fail before a server is left alone: it cannot be reached, or,
    as long as there is another one, does not answer within `read_timeout` (set that above the
    slowest page) or answers what cannot be passed on. An error page is an answer. While all
    servers are out, visitors are told so at once."""
    ejected_for: Duration = 10.0
    """How long a server is left alone before one request tries it; an answer brings it back."""
    health_check: HealthCheckSettings | None = None
    """A page that each server is asked for, again and again: only while it answers is it given
    requests. Without it, requests alone tell how a server is."""
    ca_file: Path | None = None
    """A file of certificates (PEM) that vouch for its own; the system's, if not given."""
    insecure_skip_verify: bool = False
    """Believe any TLS certificate: whoever stands between can read and change everything."""

    @property
    def origins(self) -> tuple[Origin, ...]:
        """Where its servers listen, be they one or several."""
        return self.servers if self.url is None else (self.url,)

    @field_validator(
        "connect_timeout", "read_timeout", "write_timeout", "total_timeout", "ejected_for"
    )
    @classmethod
    def _waits(cls, value: float | None) -> float | None:
        if value is not None and not 0 < value <= MAX_WAIT:
            raise ValueError("write a time above zero and of at most 7d")
        return value

    @field_validator("queue_timeout", "idle_lifetime")
    @classmethod
    def _may_be_zero(cls, value: float) -> float:
        if value > MAX_WAIT:
            raise ValueError("write a time of at most 7d")
        return value

    @field_validator("ca_file")
    @classmethod
    def _holds_certificates(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is None:
            return None
        path = Path((info.context or {}).get("base", "")) / value
        try:
            tls_context(str(path), insecure_skip_verify=False)
        except (OSError, ValueError):
            raise ValueError("this is not a readable file of certificates in PEM") from None
        return path

    @model_validator(mode="after")
    def _servers_are_alike(self) -> Self:
        if (self.url is None) == (not self.servers):
            raise ValueError("write either url: or servers:")
        if len(set(self.origins)) < len(self.origins):
            raise ValueError("a server stands here twice: remove one")
        if len({origin.scheme for origin in self.origins}) > 1:
            raise ValueError("some servers are http:// and some https://: use one for all")
        if self.host_header == "upstream" and len({it.authority for it in self.origins}) > 1:
            raise ValueError("host_header: upstream needs one name, and the servers have several")
        return self

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.origins[0].scheme == "http" and (self.ca_file or self.insecure_skip_verify):
            raise ValueError("ca_file and insecure_skip_verify belong to an https:// url")
        if self.ca_file and self.insecure_skip_verify:
            raise ValueError("insecure_skip_verify makes ca_file useless: remove one of the two")
        return self

    def open(self, name: str) -> Upstream:
        """Give the upstream with empty pools. Nothing is connected yet, and nothing checked."""
        tls: ssl.SSLContext | None = None
        if self.origins[0].scheme == "https":
            ca_file = str(self.ca_file) if self.ca_file else None
            tls = tls_context(ca_file, insecure_skip_verify=self.insecure_skip_verify)
        named = {"preserve": "", "upstream": self.origins[0].authority}
        host_header = named.get(self.host_header, self.host_header)
        limits = Limits(
            read=self.read_timeout,
            write=self.write_timeout,
            queue=self.queue_timeout,
            idle=self.idle_lifetime,
            connect=self.connect_timeout,
            total=math.inf if self.total_timeout is None else self.total_timeout,
        )
        servers = tuple(self._server(name, origin, tls) for origin in self.origins)
        checks = [
            self.health_check.open(it.origin, tls, host_header or it.origin.authority, it.health)
            for it in servers
            if self.health_check
        ]
        return Upstream(name, servers, Balance(name, servers, checks), limits, host_header)

    def _server(self, name: str, origin: Origin, tls: ssl.SSLContext | None) -> Server:
        connect = min(self.connect_timeout, self.total_timeout or math.inf)
        open_socket = partial(dial, origin, tls, connect)
        pool = Pool(
            partial(
                Connection,
                open_socket,
                read_timeout=self.read_timeout,
                write_timeout=self.write_timeout,
            ),
            limit=self.max_connections,
            queue_timeout=self.queue_timeout,
            idle_lifetime=self.idle_lifetime,
        )
        health = Health(
            name, str(origin), max_failures=self.max_failures, ejected_for=self.ejected_for
        )
        return Server(origin, pool, open_socket, health)


class RouteSettings(Settings):
    """What is served for a host and path: an upstream, or a redirect."""

    host: HostPattern | None = None
    """A host, or `*.example.com` for all below one; every host, if not given."""
    path: _Path = "/"
    """The path and all below it."""
    upstream: str | None = None
    """The name of the upstream that answers. A route has either this or `redirect`."""
    redirect: Url | None = None
    """The URL that visitors are sent to instead."""
    status: Literal[302, 303, 307, 308] = 302
    """The redirect's status; 307 and 308 have the browser send a form again, to the new place."""
    keep_path: bool = True
    """Whether path and query are added to the redirect's URL."""
    strip_prefix: bool = False
    """Whether the route's `path` is taken off the path that the upstream is asked for."""
    add_prefix: _Path | None = None
    """A path that is put before the one that the upstream is asked for."""
    identity: IdentityHeaders | None = None
    """Which headers tell the upstream who is signed in; the gate's `identity`, if not given."""
    encoded_slash: Literal["refuse", "allow"] = "refuse"
    """Whether `%2F` may stand in a path. Servers differ in what it means."""
    double_slash: Literal["refuse", "allow"] = "refuse"
    """Whether `//` may stand in a path."""
    max_body: Size = 2**30
    """How large a request's body may be."""
    method_override: Literal["refuse", "allow"] = "refuse"
    """Whether `X-HTTP-Method-Override` and its like reach the upstream: they make it do something
    else than the policies have judged."""
    websockets: Literal["refuse", "allow"] = "refuse"
    """Whether visitors may open WebSockets: lasting connections, which pages of this very site
    may ask for (by their Origin). They end with the session. Needs the gate's own worker."""

    @model_validator(mode="after")
    def _leads_somewhere(self) -> Self:
        if (self.upstream is None) == (self.redirect is None):
            raise ValueError("write either upstream: or redirect:")
        if self.redirect and self.keep_path and self.redirect.query:
            raise ValueError("the redirect has a query of its own: add keep_path: false")
        if self.strip_prefix and self.path == "/":
            raise ValueError("strip_prefix strips nothing here: give the route a path")
        return self

    def open(self, upstreams: Mapping[str, Upstream], identity: Mapping[str, str]) -> Route:
        """Give the route. `identity` counts where it says nothing of its own.

        Raises `ValueError` if the route names an upstream that there is not.
        """
        if self.upstream is not None and self.upstream not in upstreams:
            raise ValueError(f"there is no upstream {self.upstream!r}")
        to = Redirect(self.redirect, self.status, self.keep_path) if self.redirect else None
        return Route(
            host=self.host or "",
            path=self.path.rstrip("/"),
            to=to or upstreams[self.upstream or ""],
            strip_prefix=self.strip_prefix,
            add_prefix=(self.add_prefix or "").rstrip("/"),
            identity=dict(identity if self.identity is None else self.identity),
            method_override=self.method_override == "allow",
            websockets=self.websockets == "allow",
            max_body=self.max_body,
        )


def open_routes(
    routes: Iterable[RouteSettings],
    upstreams: Mapping[str, UpstreamSettings],
    identity: Mapping[str, str],
) -> RouteTable:
    """Open the upstreams and give the table of routes. `identity` counts for those without one.

    Raises `ValueError` for an unknown upstream and for two routes of one host and path.
    """
    opened = {name: settings.open(name) for name, settings in upstreams.items()}
    return RouteTable(route.open(opened, identity) for route in routes)
