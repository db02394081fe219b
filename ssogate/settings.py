"""gateway.yaml as one tree of the rooms' own settings, and the checks that span several rooms.

`load` tells all problems of gateway.yaml and of the policy files at once.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import chain
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from ssogate.api import ApiSettings
from ssogate.config import Document, HostPattern, Network, Secret, Settings, Url, read
from ssogate.config.load import Where
from ssogate.crypto.seal import MIN_KEY
from ssogate.directory.users import API_SOURCE, OPERATOR
from ssogate.errors import ConfigurationError, Problem
from ssogate.http.identity import DEFAULT_HEADERS
from ssogate.http.outgoing import holds_certificates
from ssogate.http.site import OWN, Opening, Site
from ssogate.http.theme import Pages
from ssogate.launch import LaunchSettings
from ssogate.launch.modules.php import PhpSettings
from ssogate.login.password import PasswordSettings
from ssogate.login.signed_link import SignedLinkSettings, link_problems
from ssogate.login.sso_token import SsoTokenSettings
from ssogate.policy import Policy, PolicySettings, load_policies, policy_files
from ssogate.provider import ProviderSettings
from ssogate.sessions import SessionSettings
from ssogate.storage.url import database_url
from ssogate.upstream.settings import IdentityHeaders, RouteSettings, UpstreamSettings

DEFAULT_FILE = Path("gateway.yaml")
CONFIG_VARIABLE = "SSOGATE_CONFIG"  # of the environment; names another file


class StoreSettings(Settings):
    """Where sessions, users and all else is kept."""

    kind: Literal["sqlite", "postgresql"] = "sqlite"
    """`sqlite`: a file on this machine. `postgresql`: a server, for gates on several machines."""
    path: Path = Path("var/ssogate.sqlite")
    """SQLite's file, relative to gateway.yaml. It is created with its folder."""
    url: str | None = None
    """PostgreSQL's database, `postgresql://user@host:5432/database`; what follows a `?` goes to
    the driver, such as `sslmode=verify-full`."""
    password: Secret | None = None
    """The password of PostgreSQL's user."""

    @field_validator("url")
    @classmethod
    def _postgresql(cls, value: str | None) -> str | None:
        return value and database_url(value, ["postgresql"])

    @model_validator(mode="after")
    def _consistent(self) -> StoreSettings:
        if (self.kind == "postgresql") != (self.url is not None):
            raise ValueError("kind: postgresql needs a url, and kind: sqlite takes none")
        return self


class PageSettings(Settings):
    """How the gate's own pages look and speak."""

    theme: Path | None = None
    """A folder, relative to gateway.yaml, whose `style.css`, `templates/*.html`,
    `translations/*.po` and `static/*` replace and add to ours."""
    language: str = "en"
    """The language of visitors whose browser asks for none that there is: `en`, `de`, or another
    one that the theme brings."""


LoginSettings = Annotated[
    SignedLinkSettings | PasswordSettings | SsoTokenSettings, Field(discriminator="kind")
]


class GatewaySettings(Settings):
    """All that the gate is told, in one file."""

    public_url: Url
    """The site's address as browsers see it: scheme, host, and port if need be."""
    hosts: tuple[HostPattern, ...] = ()
    """Further host names that are served (`*.example.com` for all below). The ones of
    `public_url` and of `routes` need not be repeated."""
    insecure_plain_http: bool = False
    """Serve a public name without https: anybody on the way can take over sessions."""
    trusted_proxies: tuple[Network | Literal["unix"], ...] = ()
    """Proxies in front of the gate whose X-Forwarded-For is believed: addresses, networks, or
    `unix` for whoever comes by a unix socket. Nobody, if not given."""
    store: StoreSettings = StoreSettings()
    """The gate's database."""
    sessions: SessionSettings = SessionSettings()
    """How long people stay signed in."""
    sealing_keys: tuple[Secret, ...] = ()
    """What second factors and the credentials of servers are sealed with: long random texts,
    newest first. Without the key that sealed a value, nobody can read it again."""
    login: tuple[LoginSettings, ...] = ()
    """The ways in, in the order in which the sign-in page offers them."""
    api: ApiSettings | None = None
    """WHMCS's API at `/includes/api.php`. Without this key there is none."""
    launch: LaunchSettings | None = None
    """Sign people in to control panels. Without this key, to none."""
    provider: ProviderSettings | None = None
    """Be an OpenID Connect provider. Without this key, there is none."""
    pages: PageSettings = PageSettings()
    """The gate's own pages."""
    policy: PolicySettings = PolicySettings()
    """Where the rules stand, and how paths are compared."""
    identity: IdentityHeaders = Field(default_factory=lambda: dict(DEFAULT_HEADERS))
    """Which headers tell an app who the visitor is: header to field."""
    upstreams: dict[str, UpstreamSettings] = Field(default_factory=dict)
    """The applications behind the gate, by a name for `routes`."""
    routes: tuple[RouteSettings, ...] = ()
    """Which host and path goes to which upstream, or is redirected."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that may be started, with what is doubtful about it."""

    settings: GatewaySettings
    policy: Policy
    file: Path
    """The gateway.yaml that was read."""
    warnings: tuple[Problem, ...]
    pages: Pages

    @property
    def base(self) -> Path:
        """The folder that relative paths start from."""
        return self.file.absolute().parent

    @property
    def senders(self) -> tuple[SignedLinkSettings, ...]:
        """The senders of signed links among the ways in."""
        return tuple(way for way in self.settings.login if isinstance(way, SignedLinkSettings))

    @property
    def password(self) -> PasswordSettings | None:
        """The sign-in by password among the ways in."""
        found = (way for way in self.settings.login if isinstance(way, PasswordSettings))
        return next(found, None)

    @property
    def sso_token(self) -> SsoTokenSettings | None:
        """The sign-in by one-time token among the ways in."""
        found = (way for way in self.settings.login if isinstance(way, SsoTokenSettings))
        return next(found, None)

    @property
    def secure(self) -> bool:
        """Whether visitors come by https; the configuration says so, never a header."""
        return self.settings.public_url.scheme == "https"

    @property
    def hosts(self) -> frozenset[str]:
        """Every host name that is served."""
        settings = self.settings
        routed = {route.host for route in settings.routes if route.host}
        return frozenset({settings.public_url.host, *settings.hosts, *routed})

    @property
    def site(self) -> Site:
        """The hosts, and the spellings that routes let through."""
        openings = [
            Opening(
                host=route.host or "",
                prefix=route.path.rstrip("/"),
                encoded_slash=route.encoded_slash == "allow",
                double_slash=route.double_slash == "allow",
            )
            for route in self.settings.routes
        ]
        some = any(opening.encoded_slash or opening.double_slash for opening in openings)
        return Site(self.hosts, openings if some else ())


def load(path: Path = DEFAULT_FILE, *, proxying: bool = True) -> Loaded:
    """Read gateway.yaml and the policies. `proxying` is off when an app is wrapped, not proxied.

    Raises `ConfigurationError` with every problem, by file and line.
    """
    document = read(path)
    base = path.absolute().parent
    settings = document.validate(GatewaySettings)
    problems = [*_checks(document, settings, base)]
    if proxying and not settings.routes:
        asked = bool(settings.trusted_proxies)
        message = (
            f"only questions of a proxy are answered ({OWN}auth)" if asked else "nothing is served"
        )
        problem = document.problem(("routes",), f"there is no route: {message}", warning=asked)
        problems.append(problem)
    policy, found = _policy(document, settings, base)
    pages, odd = _pages(document, settings.pages, base)
    problems = sorted(chain(problems, found, odd))
    if policy is None or pages is None or any(not problem.warning for problem in problems):
        raise ConfigurationError(problems)
    return Loaded(settings, policy, path, tuple(problems), pages)


def _pages(
    document: Document, settings: PageSettings, base: Path
) -> tuple[Pages | None, Sequence[Problem]]:
    theme = settings.theme and base / settings.theme
    try:
        return Pages(theme, settings.language), ()
    except (OSError, ValueError) as error:
        return None, [document.problem(("pages",), str(error))]


def _policy(
    document: Document, settings: GatewaySettings, base: Path
) -> tuple[Policy | None, Sequence[Problem]]:
    files = policy_files(base, settings.policy.files)
    if not files:
        message = f"no file matches {settings.policy.files!r}, and without a rule all is denied"
        return None, [document.problem(("policy", "files"), message)]
    try:
        return load_policies(files, settings.policy.case, _known_groups(settings))
    except ConfigurationError as error:
        return None, error.problems


def _known_groups(settings: GatewaySettings) -> frozenset[str] | None:
    """The groups that somebody can be in; None when it could be any that policies name."""
    known: set[str] = set()
    for way in settings.login:
        if not isinstance(way, SignedLinkSettings) or way.groups_allowed is None:
            return None
        known.update(way.groups_allowed, way.default_groups)
    return frozenset(known)


def _checks(document: Document, settings: GatewaySettings, base: Path) -> Iterator[Problem]:
    yield from _site_checks(document, settings)
    yield from _login_checks(document, settings)
    if settings.provider:
        yield from _provider_checks(document, settings, settings.provider)
    yield from _route_checks(document, settings)
    yield from _store_checks(document, settings.store, base)
    if settings.launch:
        yield from _launch_checks(document, settings.launch, base)
    for number, key in enumerate(settings.sealing_keys):
        if len(key.bytes) < MIN_KEY:
            how = "`openssl rand -base64 32` makes a good one"
            message = f"shorter than {MIN_KEY} characters: {how}"
            yield document.problem(("sealing_keys", number), message)


def _store_checks(document: Document, store: StoreSettings, base: Path) -> Iterator[Problem]:
    path = base / store.path
    if store.kind == "sqlite" and path.exists() and stat.S_IMODE(os.stat(path).st_mode) & 0o077:
        message = f"{path} is readable by others: chmod 600 {path}"
        yield document.problem(("store", "path"), message)


def _launch_checks(document: Document, launch: LaunchSettings, base: Path) -> Iterator[Problem]:
    files: dict[Where, Path | None] = {}
    for name, server in launch.servers.items():
        files["servers", name, "ca"] = server.ca
        if server.ca and (base / server.ca).is_file() and not holds_certificates(base / server.ca):
            message = f"{base / server.ca} is not a readable file of certificates in PEM"
            yield document.problem(("launch", "servers", name, "ca"), message)
    for name, module in launch.modules.items():
        if isinstance(module, PhpSettings):
            files["modules", name, "file"] = module.file
            if base.resolve().is_relative_to((base / module.file).resolve().parent):
                message = "give it a folder of its own: a module may read all of the one it is in"
                yield document.problem(("launch", "modules", name, "file"), message)
    for where, file in files.items():
        if file and not (base / file).is_file():
            yield document.problem(("launch", *where), f"there is no file {base / file}")


def _site_checks(document: Document, settings: GatewaySettings) -> Iterator[Problem]:
    url = settings.public_url
    where = ("public_url",)
    if url.path != "/" or url.query:
        yield document.problem(where, "write scheme, host and port alone: the gate stands at /")
    if url.scheme == "http" and not _is_local(url.host) and not settings.insecure_plain_http:
        message = "plain http on a public name gives sessions away: put https in front of the gate"
        yield document.problem(where, f"{message} (or say insecure_plain_http: true)")
    for number, network in enumerate(settings.trusted_proxies):
        if network != "unix" and network.prefixlen == 0:
            message = "this trusts everybody's X-Forwarded-For: list the proxies' own addresses"
            yield document.problem(("trusted_proxies", number), message)


def _is_local(host: str) -> bool:
    return host in ("localhost", "[::1]") or host.startswith("127.") or host.endswith(".localhost")


def _login_checks(document: Document, settings: GatewaySettings) -> Iterator[Problem]:
    seen: set[tuple[str, str]] = set()
    for where, what, value in _unique_fields(settings.login):
        if (what, value) in seen:
            yield document.problem(("login", *where), f"another way in has this {what} already")
        seen.add((what, value))
    for number, way in enumerate(settings.login):
        if isinstance(way, SignedLinkSettings) and way.path.startswith(OWN):
            message = f"{OWN} is the gate's own: choose another"
            yield document.problem(("login", number, "path"), message)
    yield from _only_checks(document, settings)
    senders = [way for way in settings.login if isinstance(way, SignedLinkSettings)]
    for message, warning in link_problems(senders):
        yield document.problem(("login",), message, warning=warning)


def _provider_checks(
    document: Document, settings: GatewaySettings, provider: ProviderSettings
) -> Iterator[Problem]:
    if not settings.sealing_keys:
        message = "signing keys are kept sealed: give `sealing_keys`"
        yield document.problem(("provider",), message)
    known = {name for _, what, name in _unique_fields(settings.login) if what == "name"}
    sources = [OPERATOR, API_SOURCE, *sorted(known)]
    for number, source in enumerate(provider.verified_emails):
        if source not in sources:
            message = f"no users come from {source!r}: write one of {', '.join(sources)}"
            yield document.problem(("provider", "verified_emails", number), message)


def _only_checks(document: Document, settings: GatewaySettings) -> Iterator[Problem]:
    """Judge the ways in of which there is one at most."""
    passwords = sum(isinstance(way, PasswordSettings) for way in settings.login)
    if passwords and not settings.trusted_proxies and not _is_local(settings.public_url.host):
        message = (
            "wrong passwords are counted by address: if a proxy stands before the gate, list it in"
            " trusted_proxies, or all visitors count as one"
        )
        yield document.problem(("login",), message, warning=True)
    tokens = sum(isinstance(way, SsoTokenSettings) for way in settings.login)
    if tokens > 1:
        yield document.problem(("login",), "one sign-in by one-time token is enough")
    if settings.api and not tokens:
        message = "CreateSsoToken makes tokens that nothing takes: add `kind: sso_token` to login"
        yield document.problem(("api",), message, warning=True)
    if passwords > 1:
        message = "one sign-in by password is enough: give it several `sources`"
        yield document.problem(("login",), message)


def _unique_fields(ways: Sequence[LoginSettings]) -> Iterator[tuple[Where, str, str]]:
    """Give what no two ways in may share: the names that own users, and paths."""
    for number, way in enumerate(ways):
        yield (number, "name"), "name", way.name
        if isinstance(way, SignedLinkSettings):
            yield (number, "path"), "path", way.path
        elif isinstance(way, PasswordSettings):
            for index, source in enumerate(way.sources):
                yield (number, "sources", index, "name"), "name", source.name


def _route_checks(document: Document, settings: GatewaySettings) -> Iterator[Problem]:
    seen: set[tuple[str | None, str]] = set()
    for number, route in enumerate(settings.routes):
        if route.upstream is not None and route.upstream not in settings.upstreams:
            close = get_close_matches(route.upstream, settings.upstreams, 1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            message = f"there is no upstream {route.upstream!r}{hint}"
            yield document.problem(("routes", number, "upstream"), message)
        if (route.host, route.path) in seen:
            yield document.problem(("routes", number), "another route has this host and path")
        seen.add((route.host, route.path))
    used = {route.upstream for route in settings.routes}
    for name in settings.upstreams:
        if name not in used:
            yield document.problem(("upstreams", name), "no route leads here", warning=True)
