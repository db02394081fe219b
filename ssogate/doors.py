"""All of the gate's own addresses: the ways in, the pages of people who are in, and what programs
speak to. Parts are put together here, in one table; what each of them does is its room's.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from werkzeug.wrappers import Request, Response

from ssogate.api import Api
from ssogate.api.people import NewPasswords
from ssogate.api.tokens import CheckPassword
from ssogate.directory.destinations import Destinations
from ssogate.directory.users import MINIMUM_LENGTH
from ssogate.gate import Gate, client_offer, new_token, open_launch, token_issuer
from ssogate.http import environ as env
from ssogate.http.pages import reply_json
from ssogate.http.redirects import HOME
from ssogate.http.rendered import Documents
from ssogate.http.site import OWN
from ssogate.http.theme import theme_endpoints
from ssogate.launch import SERVERS, SERVICES, ClientArea, ServerPages, ServicePages
from ssogate.login.chooser import SIGNED_OUT, Chooser
from ssogate.login.form import Typed
from ssogate.login.password import Password, PasswordSettings, People
from ssogate.login.password.pace import Pace
from ssogate.login.second_factor import SecondFactor
from ssogate.login.signed_link import SignedLink
from ssogate.login.sso_token import SsoToken, SsoTokenSettings
from ssogate.login.throttle import Throttle
from ssogate.middleware.auth_request import AUTH, AuthRequest
from ssogate.model import Endpoint, GrantType, LocalPath, PersonalPage, Reply, Target
from ssogate.policy import decide
from ssogate.portal import (
    APPLICATIONS,
    AccountPage,
    ApplicationsPage,
    Door,
    PasswordPage,
    SecondFactorPage,
    SignOutPage,
    SwitchForm,
    SwitchPage,
)
from ssogate.provider import CREDENTIALS, Handler, OpenIdProvider, SingleSignOn, TokenEndpoint
from ssogate.settings import Loaded, LoginSettings

HEALTH = f"{OWN}health"


@dataclass(frozen=True, slots=True)
class Doors:
    """All of the gate's own addresses, where to send who must sign in, and which of the addresses
    a sign-in may lead to."""

    endpoints: Mapping[str, Endpoint]
    challenge_url: Callable[[LocalPath], str]
    pages: frozenset[str]
    documents: Documents
    """What says the same to everybody."""
    answers: Callable[[Target], bool]
    """Whether an endpoint answers there whatever it is asked, and no application does."""
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
    openid = _openid(gate, door)
    endpoints: dict[str, Endpoint] = {
        HEALTH: health,
        **theme_endpoints(loaded.pages),
        **chooser.endpoints(),
        **second_factor.endpoints(),
        **SignOutPage(SIGNED_OUT, port).endpoints(),
        **door.endpoints(personal),
        **_programs(gate, passwords),
        **client_area,
        **openid.endpoints,
    }
    documents = Documents()
    for path in openid.documents:
        endpoints[path] = documents.kept(path, endpoints[path])
    # Of those at the application's addresses, some requests are the application's own.
    only = frozenset(endpoints) - frozenset(client_area)
    endpoints[AUTH] = _auth_request(loaded, chooser, only)
    return Doors(
        endpoints=endpoints,
        challenge_url=chooser.challenge_url,
        pages=frozenset((*personal, *client_area, *openid.pages)),
        documents=documents,
        answers=_answers(openid, loaded.settings.public_url.host, only),
        landing=landing,
    )


def _auth_request(loaded: Loaded, chooser: Chooser, own: frozenset[str]) -> AuthRequest:
    trees = (OWN, *(path for path in own if path.endswith("/")))
    return AuthRequest(
        site=loaded.site,
        decide=partial(decide, loaded.policy),
        challenge_url=chooser.challenge_url,
        identity=loaded.settings.identity,
        own=lambda path: path in own or path.startswith(trees),
    )


def _answers(openid: _OpenId, host: str, only: frozenset[str]) -> Callable[[Target], bool]:
    def answers(target: Target) -> bool:
        path = target.path_info
        here = path not in openid.for_people or target.host == host
        return path.startswith(OWN) or (path in only and here)

    return answers


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


def _programs(gate: Gate, password: Password | None) -> Mapping[str, Endpoint]:
    """The API, if there is to be one."""
    loaded, store, clock = gate.loaded, gate.store, gate.clock
    settings, origin = loaded.settings, loaded.settings.public_url.origin
    table: dict[str, Endpoint] = {}
    if settings.api:
        api = Api(
            store,
            clock,
            settings.api,
            destinations=_destinations(loaded),
            origin=origin,
            new_token=new_whmcs_token,
            random=secrets.token_bytes,
            check_password=_check_password(password) if password else None,
            passwords=NewPasswords(
                password.settings.minimum_length if password else MINIMUM_LENGTH,
                (password.pace if password else Pace()).hashed,
            ),
            offer=client_offer(loaded),
        )
        table |= api.endpoints()
    return table


def new_whmcs_token() -> str:
    """Give 160 random bits as WHMCS's tokens look."""
    return secrets.token_hex(20)


def _destinations(loaded: Loaded) -> Destinations:
    tokens = loaded.sso_token
    return Destinations(tokens.base, tokens.destinations) if tokens else Destinations()


def _whmcs_grants(gate: Gate) -> Mapping[str, Handler]:
    """The token endpoint's grants that are none of OpenID Connect's."""
    loaded = gate.loaded
    if loaded.sso_token is None:
        return {}
    origin = loaded.settings.public_url.origin
    handler = SingleSignOn(gate.store, _destinations(loaded), origin, new_whmcs_token)
    return {GrantType.SINGLE_SIGN_ON: handler}


def _token_endpoint(gate: Gate) -> Mapping[str, Endpoint]:
    """The token endpoint of a gate that is no OpenID Connect provider."""
    grants = _whmcs_grants(gate)
    if not grants:
        return {}
    origin = gate.loaded.settings.public_url.origin
    return TokenEndpoint(gate.store, gate.clock, grants, origin).endpoints()


@dataclass(frozen=True, slots=True)
class _OpenId:
    """The addresses of the OpenID Connect provider; which of them a sign-in may lead to, and which
    say the same to everybody."""

    endpoints: Mapping[str, Endpoint]
    pages: frozenset[str] = frozenset()
    documents: frozenset[str] = frozenset()
    for_people: frozenset[str] = frozenset()
    """Those that are there at the gate's own host alone."""


def _openid(gate: Gate, door: Door) -> _OpenId:
    """Open the provider, if there is to be one."""
    issuer = token_issuer(gate, door)
    if issuer is None:
        return _OpenId(_token_endpoint(gate))
    provider = OpenIdProvider(issuer, _whmcs_grants(gate))
    pages = provider.pages()
    for_people = {**provider.for_people(), **door.endpoints(pages)}
    host = gate.loaded.settings.public_url.host
    table = {**provider.endpoints(), **_only_at(host, for_people)}
    landings = frozenset((*pages, *provider.landings()))
    return _OpenId(table, landings, frozenset(provider.documents()), frozenset(for_people))


def _only_at(host: str, table: Mapping[str, Endpoint]) -> Mapping[str, Endpoint]:
    """Leave the addresses of a table to the apps on all other hosts: a page of ours that asks must
    not stand beside what others may write."""

    def only(endpoint: Endpoint, request: Request) -> Reply | None:
        return endpoint(request) if env.target(request.environ).host == host else None

    return {path: partial(only, endpoint) for path, endpoint in table.items()}


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
    account = AccountPage(
        store,
        clock,
        idle,
        labels,
        password,
        gate.sealer,
        services_url=SERVICES if settings.launch else "",
        servers_url=SERVERS if settings.launch else "",
        applications_url=APPLICATIONS if settings.provider else "",
        credentials_url=CREDENTIALS if settings.provider else "",
    )
    pages = dict(account.pages())
    if settings.provider:
        pages |= ApplicationsPage(store, clock).pages()
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


def health(request: Request) -> Response:
    """Whether this process serves; it says nothing of stores or upstreams to whoever asks."""
    return reply_json(200, message="ok")
