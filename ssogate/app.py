"""The only module that knows every room: settings become opened parts, parts become the stack.

gateway()                       what gunicorn serves: the gate in front of upstreams
SSOGate(app, "gateway.yaml")    the gate around a WSGI app
"""

from __future__ import annotations

import logging
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

from ssogate.directory import admit
from ssogate.errors import ConfigurationError, Problem, StoreFailure
from ssogate.http.cookies import TOKEN_BYTES, cookie_name
from ssogate.http.log import log
from ssogate.http.pages import reply_json
from ssogate.http.scrub import Scrubber
from ssogate.http.site import OWN
from ssogate.login.chooser import SIGNED_OUT, Chooser
from ssogate.login.signed_link import SignedLink
from ssogate.middleware.boundary import Boundary
from ssogate.middleware.edge import Edge
from ssogate.middleware.endpoints import Endpoints
from ssogate.middleware.guard import Guard
from ssogate.middleware.proxy import ReverseProxy
from ssogate.middleware.sessions import Sessions
from ssogate.middleware.wrapped import Wrapped
from ssogate.model import Address, Clock, Endpoint
from ssogate.policy import decide
from ssogate.policy.networks import networks
from ssogate.sessions import Keeper
from ssogate.settings import CONFIG_VARIABLE, DEFAULT_FILE, Loaded, load
from ssogate.storage import SQLiteStore, Store
from ssogate.upstream.settings import open_routes

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HEALTH = f"{OWN}health"

# What `prepare` checked in the arbiter, for the workers that it forks: they serve that and nothing
# else, however late they start and whatever stands in the files by then.
_checked: dict[Path, Loaded] = {}


@dataclass(frozen=True, slots=True)
class Gate:
    """A configuration with its store open: what the stack and the command line work with."""

    loaded: Loaded
    store: Store
    keeper: Keeper
    chooser: Chooser

    @property
    def endpoints(self) -> Mapping[str, Endpoint]:
        """The gate's own addresses."""
        table = {HEALTH: health, **self.chooser.endpoints()}
        for method in self.chooser.methods:
            table |= method.endpoints()
        return table


def open_gate(loaded: Loaded, *, clock: Clock = time.time) -> Gate:
    """Open the store and make the parts. Raises `ConfigurationError` if the store will not open."""
    try:
        store = SQLiteStore(loaded.store_path, clock=clock)
    except StoreFailure as error:
        problem = Problem(str(loaded.file), 0, "store.path", str(error))
        raise ConfigurationError([problem]) from error
    keeper = Keeper(
        store=store,
        admit=partial(admit, store.users),
        clock=clock,
        new_token=partial(secrets.token_urlsafe, TOKEN_BYTES),
        settings=loaded.settings.sessions,
    )
    senders = [
        SignedLink(settings, loaded.policy.groups, clock, SIGNED_OUT)
        for settings in loaded.settings.login
    ]
    return Gate(loaded, store, keeper, Chooser(senders))


def stack(gate: Gate, app: WSGIApplication, *, identity: Mapping[str, str]) -> WSGIApplication:
    """Fold the layers around `app`, outermost last. `identity` are headers for a wrapped app."""
    loaded = gate.loaded
    app = Guard(
        app,
        decide=partial(decide, loaded.policy),
        challenge_url=gate.chooser.challenge_url,
        identity=identity,
    )
    app = Endpoints(app, table=gate.endpoints, keeper=gate.keeper, secure=loaded.secure)
    app = Sessions(app, cookie=cookie_name(secure=loaded.secure), find=gate.keeper.find)
    app = Edge(
        app,
        site=loaded.site,
        scheme=loaded.settings.public_url.scheme,
        trusts=_trusts(loaded),
        scrubber=Scrubber(_managed(loaded)),
    )
    return Boundary(app)


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
        self.app = stack(self.gate, Wrapped(app), identity=loaded.settings.identity)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self.app(environ, start_response)


def gateway(config: str | Path | None = None) -> WSGIApplication:
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
    return stack(open_gate(loaded), proxy, identity={})


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


def health(request: Request) -> Response:
    """Whether this process serves; it says nothing of stores or upstreams to whoever asks."""
    return reply_json(200, message="ok")


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
