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
from typing import Literal

from pydantic import Field

from ssogate.config import Document, HostPattern, Network, Settings, Url, read
from ssogate.errors import ConfigurationError, Problem
from ssogate.http.identity import DEFAULT_HEADERS
from ssogate.http.site import OWN, Opening, Site
from ssogate.login.signed_link import SignedLinkSettings, link_problems
from ssogate.policy import Policy, PolicySettings, load_policies, policy_files
from ssogate.sessions import SessionSettings
from ssogate.upstream.settings import IdentityHeaders, RouteSettings, UpstreamSettings

DEFAULT_FILE = Path("gateway.yaml")
CONFIG_VARIABLE = "SSOGATE_CONFIG"  # of the environment; names another file


class StoreSettings(Settings):
    """Where sessions, users and spent links are kept."""

    kind: Literal["sqlite"] = "sqlite"
    """SQLite: a file on this machine."""
    path: Path = Path("var/ssogate.sqlite")
    """The database file, relative to gateway.yaml. It is created with its folder."""


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
    login: tuple[SignedLinkSettings, ...] = ()
    """The ways in, in the order in which the sign-in page offers them."""
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

    @property
    def base(self) -> Path:
        """The folder that relative paths start from."""
        return self.file.absolute().parent

    @property
    def store_path(self) -> Path:
        return self.base / self.settings.store.path

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
        problems.append(document.problem(("routes",), "there is no route: nothing is served"))
    policy, found = _policy(document, settings, base)
    problems = sorted(chain(problems, found))
    if policy is None or any(not problem.warning for problem in problems):
        raise ConfigurationError(problems)
    return Loaded(settings, policy, path, tuple(problems))


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
    """The groups that somebody can be in; None when a sender may give any that policies name."""
    if any(sender.groups_allowed is None for sender in settings.login):
        return None
    return frozenset(
        chain.from_iterable(
            (*(sender.groups_allowed or ()), *sender.default_groups) for sender in settings.login
        )
    )


def _checks(document: Document, settings: GatewaySettings, base: Path) -> Iterator[Problem]:
    yield from _site_checks(document, settings)
    yield from _login_checks(document, settings)
    yield from _route_checks(document, settings)
    store = base / settings.store.path
    if store.exists() and stat.S_IMODE(os.stat(store).st_mode) & 0o077:
        message = f"{store} is readable by others: chmod 600 {store}"
        yield document.problem(("store", "path"), message)


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
    for number, sender in enumerate(settings.login):
        for field in ("name", "path"):
            earlier = [getattr(other, field) for other in settings.login[:number]]
            if getattr(sender, field) in earlier:
                message = f"another way in has this {field} already"
                yield document.problem(("login", number, field), message)
        if sender.path.startswith(OWN):
            message = f"{OWN} is the gate's own: choose another"
            yield document.problem(("login", number, "path"), message)
    for message, warning in link_problems(settings.login):
        yield document.problem(("login",), message, warning=warning)


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
