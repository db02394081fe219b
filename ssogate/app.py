"""Layers put around an app, outermost last: the only module that knows the whole stack.

gateway()                       what gunicorn serves: the gate in front of upstreams
SSOGate(app, "gateway.yaml")    the gate around a WSGI app
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from ssogate.doors import Doors, doors
from ssogate.gate import Gate, open_gate, token_issuer
from ssogate.http.log import log
from ssogate.http.outgoing import Outgoing, trust
from ssogate.http.scrub import Scrubber
from ssogate.lane.judge import Lane
from ssogate.lane.places import Places
from ssogate.lane.requests import Heads
from ssogate.login.second_factor import SECOND_FACTOR
from ssogate.middleware.auth_request import AUTH
from ssogate.middleware.boundary import Boundary
from ssogate.middleware.edge import Edge
from ssogate.middleware.endpoints import Endpoints
from ssogate.middleware.first_request import FirstRequest
from ssogate.middleware.guard import Guard
from ssogate.middleware.proxy import ReverseProxy
from ssogate.middleware.sessions import Sessions
from ssogate.middleware.wrapped import Wrapped
from ssogate.model import Address
from ssogate.policy import decide
from ssogate.policy.networks import networks
from ssogate.portal import Door
from ssogate.provider.logout.back_channel import LogoutSender
from ssogate.settings import CONFIG_VARIABLE, DEFAULT_FILE, Loaded, load
from ssogate.upstream.headers import RequestHeaders
from ssogate.upstream.route import RouteTable
from ssogate.upstream.settings import open_routes

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# What `prepare` checked in the arbiter, for the workers that it forks: they serve that and nothing
# else, however late they start and whatever stands in the files by then.
_checked: dict[Path, Loaded] = {}


def attended(gate: Gate, app: WSGIApplication) -> WSGIApplication:
    """Add to the stack what goes on beside its requests: clients are told of logouts."""
    issuer = token_issuer(gate, Door(gate.store, attrgetter("text")))
    if issuer is None:
        return app

    def begin() -> None:
        sender = LogoutSender(issuer, Outgoing(), trust())
        atexit.register(sender.stop)
        sender.start()

    return FirstRequest(app, begin)


def stack(
    gate: Gate, app: WSGIApplication, *, identity: Mapping[str, str], own: Doors | None = None
) -> WSGIApplication:
    """Fold the layers around `app`, outermost last. `identity` are headers for a wrapped app; `own`
    are the gate's doors, if they are there already."""
    loaded = gate.loaded
    pages = loaded.pages
    own = own or doors(gate)
    app = Guard(
        app,
        decide=partial(decide, loaded.policy),
        challenge_url=own.challenge_url,
        identity=identity,
    )
    app = Endpoints(
        app,
        table=own.endpoints,
        keeper=gate.keeper,
        cookies=gate.cookies,
        second_factor=SECOND_FACTOR,
        pages=own.pages,
        landing=own.landing,
    )
    app = Sessions(app, cookie=gate.cookies.session.name, find=gate.find)
    app = Edge(
        app,
        site=loaded.site,
        scheme=loaded.settings.public_url.scheme,
        trusts=_trusts(loaded),
        scrubber=Scrubber(_managed(loaded)),
    )
    return Boundary(app, pages=pages)


class SSOGate:
    """The gate around a WSGI app: `application = SSOGate(application, "gateway.yaml")`.

    The app finds the visitor in `REMOTE_USER`, and in the headers of `identity`. Raises
    `ConfigurationError` with everything that is wrong with the file.
    """

    def __init__(self, app: WSGIApplication, config: str | Path = DEFAULT_FILE) -> None:
        loaded = load(Path(config), proxying=False)
        for warning in loaded.warnings:
            log.warning("configuration", problem=str(warning))
        self.gate = open_gate(loaded)
        layers = stack(self.gate, Wrapped(app), identity=loaded.settings.identity)
        self.app = attended(self.gate, layers)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self.app(environ, start_response)


@dataclass(frozen=True, slots=True)
class Gateway:
    """The stack, and what a worker of ours needs to relay ordinary requests without it."""

    app: WSGIApplication
    lane: Lane

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self.app(environ, start_response)


def gateway(config: str | Path | None = None) -> Gateway:
    """The gate in front of the upstreams of gateway.yaml: `gunicorn 'ssogate.app:gateway()'`.

    Without `config`, the file is the one that `SSOGATE_CONFIG` names, or ./gateway.yaml. Raises
    `ConfigurationError`.
    """
    path = _config(config)
    loaded = _checked.get(path.absolute()) or load(path)
    _log_to_stderr()
    settings = loaded.settings
    routes = open_routes(settings.routes, settings.upstreams, settings.identity)
    proxy = ReverseProxy(routes, managed=settings.identity)
    gate = open_gate(loaded)
    own = doors(gate)
    app = attended(gate, stack(gate, proxy, identity={}, own=own))
    return Gateway(app, lane(gate, own, routes, proxy.request_headers))


def lane(gate: Gate, own: Doors, routes: RouteTable, headers: RequestHeaders) -> Lane:
    """Give the fast lane what the layers have."""
    loaded = gate.loaded
    places = Places(
        site=loaded.site,
        scheme=loaded.settings.public_url.scheme,
        policy=loaded.policy,
        routes=routes,
        own=own.endpoints,
        answers=own.answers,
        auth=AUTH,
        identity=loaded.settings.identity,
        documents=own.documents,
    )
    return Lane(
        places,
        Heads(headers, gate.cookies.session.name),
        trusts=_trusts(loaded),
        keeper=None if gate.sources else gate.keeper,
    )


def prepare(config: str | Path | None = None) -> Loaded:
    """Check the configuration and create the store, before a server forks its workers.

    Two workers that create a SQLite file at once get in each other's way.
    """
    path = _config(config)
    loaded = load(path)
    open_gate(loaded).store.close()
    _checked[path.absolute()] = loaded
    return loaded


def paste_app(global_conf: Mapping[str, str], config: str = "gateway.yaml") -> WSGIApplication:
    """PasteDeploy: `use = egg:ssogate` in an `[app:…]` section, with `config = gateway.yaml`."""
    return gateway(Path(global_conf.get("here", ".")) / config)


def paste_filter(
    app: WSGIApplication, global_conf: Mapping[str, str], config: str = "gateway.yaml"
) -> WSGIApplication:
    """PasteDeploy: `use = egg:ssogate` in a `[filter-app:…]` section."""
    return SSOGate(app, Path(global_conf.get("here", ".")) / config)


def _config(config: str | Path | None) -> Path:
    return Path(config or os.environ.get(CONFIG_VARIABLE) or DEFAULT_FILE)


def _managed(loaded: Loaded) -> frozenset[str]:
    """Every header that tells some app who the visitor is."""
    settings = loaded.settings
    routed = (name for route in settings.routes for name in route.identity or ())
    return frozenset((*settings.identity, *routed))


def _trusts(loaded: Loaded) -> Callable[[Address | None], bool]:
    listed = loaded.settings.trusted_proxies
    known = networks(network for network in listed if network != "unix")
    unix = "unix" in listed
    return lambda peer: unix if peer is None else peer in known


def _log_to_stderr() -> None:
    """Show the gate's log where no one has said where it goes."""
    logger = logging.getLogger("ssogate")
    if not logger.handlers and not logging.getLogger().handlers:
        logger.addHandler(logging.StreamHandler(sys.stderr))
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)
