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
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import make_url
from werkzeug.wrappers import Request, Response

from ssogate.api import Api
from ssogate.api.people import NewPasswords
from ssogate.api.tokens import CheckPassword
from ssogate.crypto import Sealer
from ssogate.directory import admit
from ssogate.directory.destinations import Destinations
from ssogate.directory.legacy import LegacySource
from ssogate.directory.refresh import Refresh
from ssogate.directory.users import MINIMUM_LENGTH
from ssogate.errors import ConfigurationError, Problem, StoreFailure
from ssogate.http.cookies import TOKEN_BYTES, Cookies, cookies
from ssogate.http.log import log
from ssogate.http.pages import reply_json
from ssogate.http.redirects import HOME
from ssogate.http.scrub import Scrubber
from ssogate.http.site import OWN
from ssogate.http.theme import theme_endpoints
from ssogate.launch import (
    SERVERS,
    SERVICES,
    ClientArea,
    Launcher,
    ServerPages,
    ServicePages,
    open_launcher,
)
from ssogate.launch.masking import ModuleCall
from ssogate.login.chooser import SIGNED_OUT, Chooser
from ssogate.login.form import Typed
from ssogate.login.password import Password, PasswordSettings, People
from ssogate.login.password.pace import Pace
from ssogate.login.second_factor import SECOND_FACTOR, SecondFactor
from ssogate.login.signed_link import SignedLink
from ssogate.login.sso_token import SsoToken, SsoTokenSettings
from ssogate.login.throttle import Throttle
from ssogate.middleware.boundary import Boundary
from ssogate.middleware.edge import Edge
from ssogate.middleware.endpoints import Endpoints
from ssogate.middleware.guard import Guard
from ssogate.middleware.proxy import ReverseProxy
from ssogate.middleware.sessions import Find, Sessions
from ssogate.middleware.wrapped import Wrapped
from ssogate.model import Address, Clock, Endpoint, LocalPath, PersonalPage, Reply, Session
from ssogate.policy import decide
from ssogate.policy.networks import networks
from ssogate.portal import (
    AccountPage,
    Door,
    PasswordPage,
    SecondFactorPage,
    SignOutPage,
    SwitchForm,
    SwitchPage,
)
from ssogate.provider import TokenEndpoint
from ssogate.sessions import Keeper
from ssogate.settings import CONFIG_VARIABLE, DEFAULT_FILE, Loaded, LoginSettings, load
from ssogate.storage import PostgreSQLStore, SQLiteStore, Store
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
    sealer: Sealer | None
    sources: Mapping[str, LegacySource]
    clock: Clock

    @property
    def cookies(self) -> Cookies:
        return cookies(secure=self.loaded.secure)

    @property
    def refresh(self) -> Refresh:
        """What asks the legacy sources about the users that belong to them."""
        return Refresh(self.store, self.sources, self.clock)

    @property
    def find(self) -> Find:
        """What gives the live session of a token."""
        if not self.sources:
            return self.keeper.find
        refresh = self.refresh

        def find(token: str) -> Session | None:
            session = self.keeper.find(token)
            return refresh(session) if session else None

        return find


def open_gate(loaded: Loaded, *, clock: Clock = time.time) -> Gate:
    """Open the store and make the parts. Raises `ConfigurationError` if the store will not open."""
    settings = loaded.settings
    try:
        store = _open_store(loaded, clock)
    except StoreFailure as error:
        field = "url" if settings.store.kind == "postgresql" else "path"
        problem = Problem(str(loaded.file), 0, f"store.{field}", str(error))
        raise ConfigurationError([problem]) from error
    keeper = Keeper(store, partial(admit, store), clock, new_token, settings.sessions)
    keys = [key.bytes for key in settings.sealing_keys]
    sealer = Sealer(keys) if keys else None
    return Gate(loaded, store, keeper, sealer, legacy_sources(loaded, clock), clock)


def legacy_sources(loaded: Loaded, clock: Clock = time.time) -> Mapping[str, LegacySource]:
    """Give the databases of applications in which people are looked up, by their names. None is
    connected to yet."""
    groups = loaded.policy.groups
    return {
        source.name: LegacySource(source, base=loaded.base, clock=clock, policy_groups=groups)
        for source in (loaded.password.sources if loaded.password else ())
    }


def _open_store(loaded: Loaded, clock: Clock) -> Store:
    settings = loaded.settings.store
    if settings.url is None:
        return SQLiteStore(loaded.base / settings.path, clock=clock)
    password = settings.password.bytes.decode() if settings.password else None
    return PostgreSQLStore(make_url(settings.url).set(password=password), clock=clock)


def new_token() -> str:
    """Give 256 random bits as 43 characters of base64url."""
    return secrets.token_urlsafe(TOKEN_BYTES)


@dataclass(frozen=True, slots=True)
class Doors:
    """All of the gate's own addresses, where to send who must sign in, and which of the addresses
    a sign-in may lead to."""

    endpoints: Mapping[str, Endpoint]
    challenge_url: Callable[[LocalPath], str]
    pages: frozenset[str]
    landing: Callable[[LocalPath], LocalPath]


def doors(gate: Gate) -> Doors:
    """Make the ways in, and the pages of people who are in."""
    loaded, store, port = gate.loaded, gate.store, gate.loaded.settings.public_url.port
    throttle = Throttle(store, gate.clock, gate.cookies.device.name)
    clock, people = gate.clock, People(store, gate.sources)

    def method(way: LoginSettings) -> SignedLink | Password | SsoToken:
        if isinstance(way, PasswordSettings):
            return Password(way, people, throttle, clock, new_token)
        if isinstance(way, SsoTokenSettings):
            return SsoToken(way, store, clock, gate.refresh.user)
        return SignedLink(way, loaded.policy.groups, clock, SIGNED_OUT)

    methods = [method(way) for way in loaded.settings.login]
    chooser = Chooser(methods, port)
    passwords = next((one for one in methods if isinstance(one, Password)), None)
    second_factor = SecondFactor(
        store, gate.sealer, throttle, clock, new_token, gate.cookies.step.name, port
    )
    personal = _personal(gate, passwords, second_factor)
    door = Door(store, chooser.challenge_url, port)
    client_area = _client_area(gate, door)
    launch, landing = open_launch(gate), _as_it_is
    if launch:
        area = ClientArea(launch, door, launch.settings.base, port)
        client_area, landing = _together(client_area, area.endpoints()), area.landing
        personal |= ServicePages(launch, launch.settings.base).pages()
        personal |= ServerPages(launch).pages()
    return Doors(
        endpoints={
            HEALTH: health,
            **theme_endpoints(loaded.pages),
            **chooser.endpoints(),
            **second_factor.endpoints(),
            **SignOutPage(SIGNED_OUT, port).endpoints(),
            **door.endpoints(personal),
            **_programs(gate, passwords),
            **client_area,
        },
        challenge_url=chooser.challenge_url,
        pages=frozenset((*personal, *client_area)),
        landing=landing,
    )


def _as_it_is(to: LocalPath) -> LocalPath:
    return to


def _client_area(gate: Gate, door: Door) -> Mapping[str, Endpoint]:
    """What is the gate's at the gated app's own addresses."""
    tokens = gate.loaded.sso_token
    if tokens is None:
        return {}
    return SwitchForm(SwitchPage(gate.store, gate.clock), door, tokens.base).endpoints()


def _together(*tables: Mapping[str, Endpoint]) -> Mapping[str, Endpoint]:
    """Join tables: at an address of several, the first that takes a request answers it."""
    joined: dict[str, list[Endpoint]] = {}
    for table in tables:
        for path, endpoint in table.items():
            joined.setdefault(path, []).append(endpoint)

    def first(endpoints: Sequence[Endpoint], request: Request) -> Reply | None:
        replies = (endpoint(request) for endpoint in endpoints)
        return next((reply for reply in replies if reply is not None), None)

    return {path: partial(first, endpoints) for path, endpoints in joined.items()}


def open_launch(
    gate: Gate, log_call: Callable[[ModuleCall], None] | None = None
) -> Launcher | None:
    """Make what signs people in to control panels, if there is to be such. `log_call` takes the
    module log in place of the gate's log."""
    loaded = gate.loaded
    settings = loaded.settings.launch
    if settings is None:
        return None
    to_log = log_call or (_log_call if settings.module_log else None)
    return open_launcher(gate.store, gate.clock, gate.sealer, settings, loaded.base, log=to_log)


def _log_call(call: ModuleCall) -> None:
    log.info("module call", **asdict(call))


def _programs(gate: Gate, password: Password | None) -> Mapping[str, Endpoint]:
    """What programs speak to: the token endpoint, and the API if there is to be one."""
    loaded, store, clock = gate.loaded, gate.store, gate.clock
    settings, origin = loaded.settings, loaded.settings.public_url.origin
    tokens = loaded.sso_token
    destinations = Destinations(tokens.base, tokens.destinations) if tokens else Destinations()
    token = partial(secrets.token_hex, 20)  # 160 bits, as WHMCS's look
    table: dict[str, Endpoint] = {}
    if tokens:
        table |= TokenEndpoint(store, clock, destinations, origin, token).endpoints()
    if settings.api:
        api = Api(
            store,
            clock,
            settings.api,
            destinations=destinations,
            origin=origin,
            new_token=token,
            random=secrets.token_bytes,
            check_password=_check_password(password) if password else None,
            passwords=NewPasswords(
                password.settings.minimum_length if password else MINIMUM_LENGTH,
                (password.pace if password else Pace()).hashed,
            ),
        )
        table |= api.endpoints()
    return table


def _check_password(password: Password) -> CheckPassword:
    """Judge a password as the sign-in page does, for programs that ask: somebody else guesses."""

    def check(username: str, typed: str) -> str:
        return password.sign_in(Typed(username, typed, HOME), None).assertion.username

    return check


def _personal(
    gate: Gate, password: Password | None, codes: SecondFactor
) -> dict[str, PersonalPage]:
    """The pages of people who are signed in."""
    store, clock, settings = gate.store, gate.clock, gate.loaded.settings
    labels = {way.name: way.label or way.name for way in settings.login}
    if password:
        labels |= dict.fromkeys(gate.sources, password.label)
    idle = settings.sessions.idle
    beyond = (SERVICES, SERVERS) if settings.launch else ()
    account = AccountPage(store, clock, idle, labels, password, gate.sealer, *beyond)
    pages = dict(account.pages())
    pages |= SwitchPage(store, clock).pages()
    if password:
        pages |= PasswordPage(store, clock, password, password.settings.minimum_length).pages()
    if password and gate.sealer:
        issuer = settings.public_url.host
        setup = SecondFactorPage(
            store, clock, password, codes, gate.sealer, issuer, secrets.token_bytes, new_token
        )
        pages |= setup.pages()
    return pages


def stack(gate: Gate, app: WSGIApplication, *, identity: Mapping[str, str]) -> WSGIApplication:
    """Fold the layers around `app`, outermost last. `identity` are headers for a wrapped app."""
    loaded = gate.loaded
    pages = loaded.pages
    own = doors(gate)
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
