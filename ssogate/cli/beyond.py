"""What lies beyond the rules: where an allowed request goes, and what the app is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ssogate.errors import GateError
from ssogate.http.identity import identity_headers
from ssogate.model import Identity, Target
from ssogate.settings import Loaded
from ssogate.upstream.route import Redirect, Route
from ssogate.upstream.settings import open_routes


@dataclass(frozen=True, slots=True)
class Beyond:
    """Where an allowed request goes, and what the app is told of the visitor."""

    place: str
    """For a person."""
    upstream: str = ""
    path: str = ""
    """What the upstream is asked for, or where a redirect leads."""
    headers: tuple[tuple[str, str], ...] = ()

    def lines(self) -> Iterator[str]:
        yield f"beyond the rules: {self.place}"
        yield from (f"  {name}: {value}" for name, value in self.headers)

    def facts(self) -> dict[str, object]:
        return {"upstream": self.upstream, "path": self.path, "headers": dict(self.headers)}


def beyond(loaded: Loaded, target: Target, identity: Identity | None) -> Beyond:
    settings = loaded.settings
    if not settings.routes:
        place = "the wrapped app"
        return Beyond(place, "", target.path, _headers(identity, settings.identity))
    routes = open_routes(settings.routes, settings.upstreams, settings.identity)
    route = routes.find(target)
    if route is None:
        return Beyond("no route leads anywhere (404)")
    try:
        path = route.upstream_path(target)
        headers = _headers(identity, route.identity)
    except GateError as error:
        return Beyond(f"refused there: {error.code}, {error.detail}")
    return _leading(route, path, headers)


def _leading(route: Route, path: str, headers: tuple[tuple[str, str], ...]) -> Beyond:
    where = f"route {route.host}{route.path or '/'}"
    if isinstance(route.to, Redirect):
        url = route.to.location(path)
        return Beyond(f"{where} redirects to {url} ({route.to.status})", "", url)
    place = f"{where} leads to {route.to}, which is asked for {path}"
    return Beyond(place, route.to.name, path, headers)


def _headers(identity: Identity | None, names: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What the app is told, as text. Raises `GateError` if it cannot be told."""
    if identity is None:
        return ()
    sent = identity_headers(identity, names)
    return tuple((name, value.encode("latin-1").decode("utf-8", "replace")) for name, value in sent)
