"""A configuration with its parts opened: the store, the sessions in it, what signs tokens and what
launches. The stack and the command line work with it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial

from sqlalchemy import make_url

from ssogate.crypto import Sealer
from ssogate.crypto.seal import derived_secret
from ssogate.directory import admit
from ssogate.directory.client_rules import Offer
from ssogate.directory.legacy import LegacySource
from ssogate.directory.refresh import Refresh
from ssogate.directory.signing_keys import SigningKeys
from ssogate.errors import ConfigurationError, Problem, StoreFailure
from ssogate.http.cookies import TOKEN_BYTES, Cookies, cookies
from ssogate.http.log import log
from ssogate.launch import Launcher, open_launcher
from ssogate.launch.masking import ModuleCall
from ssogate.middleware.sessions import Find
from ssogate.model import Clock, Session
from ssogate.provider import Issuer
from ssogate.provider.issuer import Door as IssuersDoor
from ssogate.sessions import Keeper
from ssogate.settings import Loaded
from ssogate.storage import PostgreSQLStore, SQLiteStore, Store


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


def client_offer(loaded: Loaded) -> Offer:
    """Give what there is for OAuth clients."""
    settings = loaded.settings.provider
    return settings.offer if settings else Offer()


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


def signing_keys(gate: Gate) -> SigningKeys | None:
    """Give the keys that sign tokens, if the gate is a provider."""
    settings = gate.loaded.settings.provider
    if settings is None or gate.sealer is None:
        return None
    lifetime, overlap = settings.key_lifetime, settings.key_overlap
    return SigningKeys(gate.store, gate.sealer, gate.clock, settings.algorithms, lifetime, overlap)


def token_issuer(gate: Gate, door: IssuersDoor) -> Issuer | None:
    """Make what issues tokens, if the gate is a provider."""
    settings, public_url = gate.loaded.settings, gate.loaded.settings.public_url
    keys = signing_keys(gate)
    if settings.provider is None or keys is None:
        return None
    return Issuer(
        settings.provider.issuer or public_url.origin,
        public_url.origin,
        settings.provider,
        gate.store,
        gate.clock,
        keys,
        door,
        new_token,
        derived_secret(settings.sealing_keys[0].bytes, "successor"),
        public_url.port,
        gate.loaded.hosts,
    )
