"""From "this person wants into that service" to an address that signs them in, or a refusal.

The order of the checks is the order of the lines: who may, where it runs, which page, is there a
place; only then is a secret opened and a panel asked. What a module answers is judged like what
strangers send: nothing but a whole URL on the server's own hosts leads anybody anywhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ssogate.crypto import Sealer
from ssogate.directory.activity import By, note
from ssogate.directory.servers import SERVERS, may_open_server, reaches
from ssogate.directory.services import SERVICES, usable_service
from ssogate.errors import ActionFailed, LaunchRefused, UnknownShortcut
from ssogate.http.redirects import url_host
from ssogate.launch.bulkhead import Bulkheads
from ssogate.launch.masking import ModuleCall, mask
from ssogate.launch.module import (
    LaunchResult,
    Module,
    ModuleParams,
    Panel,
    PanelError,
    Shortcut,
    is_master,
)
from ssogate.launch.panel import Connections, HttpPanel
from ssogate.launch.params import port_of, server_params, service_params
from ssogate.launch.plugins import open_modules
from ssogate.launch.settings import LaunchSettings, ProductSettings, ShortcutRule
from ssogate.model import Clock, Server, Service
from ssogate.policy.networks import networks
from ssogate.storage import Store

LONGEST_WORDS = 200  # characters of a module's own words that a visitor reads

Function = Callable[[ModuleParams, Panel], LaunchResult]


@dataclass(frozen=True, slots=True)
class Launcher:
    """`modules` by the names that servers have them by; `log` takes the module log, if anybody
    does."""

    store: Store
    clock: Clock
    sealer: Sealer | None
    settings: LaunchSettings
    modules: Mapping[str, Module]
    connections: Connections
    bulkheads: Bulkheads
    log: Callable[[ModuleCall], None] | None

    def service(self, number: int, subject: str, *, app: str = "", by: By) -> str:
        """Give the address that signs a user in to a service's panel, at a shortcut if one is
        named.

        Raises `LaunchRefused`, `UnknownShortcut`, `ActionFailed` and its kinds, `StoreFailure`.
        """
        service, account = usable_service(self.store, subject, number)
        server, module = self._place(service)
        if app and app not in {
            shortcut.app for shortcut in self._shortcuts(service, server, module)
        }:
            raise UnknownShortcut(f"service {number}: {app[:80]!a}")
        if not reaches(server, service):
            raise ActionFailed(f"{SERVERS.name(server)}: its credentials own no {number}")
        if is_master(service.username, server.username):
            raise ActionFailed(f"service {number}: its user is an administrator of the server")

        def params() -> ModuleParams:
            known = server_params(server, module.metadata, self.sealer, client=by.client)
            product = self.settings.products.get(service.product, ProductSettings())
            return service_params(known, service, account, product, self.sealer, app=app)

        url = self._launched(server, subject, module, params, module.service_single_sign_on)
        text = f"{SERVICES.name(service)} on {SERVERS.name(server)}{f', {app}' if app else ''}"
        note(self.store, by, "service.launched", text, int(self.clock()))
        return url

    def server(self, number: int, subject: str, *, by: By) -> str:
        """Give the address that signs an administrator in to a server. Raises likewise."""
        user, administrator = self.store.users.of(subject), self.store.administrators.get(subject)
        server = self.store.servers.get(number)
        if user is None or not user.welcome or administrator is None or server is None:
            raise LaunchRefused("You have no such server.")
        if not may_open_server(administrator, server):
            raise LaunchRefused("This server is not open to your role groups.")
        module = self._module(server)

        def params() -> ModuleParams:
            return server_params(server, module.metadata, self.sealer, client=by.client)

        url = self._launched(server, subject, module, params, module.admin_single_sign_on)
        note(self.store, by, "server.launched", SERVERS.name(server), int(self.clock()))
        return url

    def shortcuts(self, service: Service) -> tuple[Shortcut, ...]:
        """Give the pages of a service's panel that people may open at once. Raises `ActionFailed`
        if the service has no panel."""
        return self._shortcuts(service, *self._place(service))

    def label(self, service: Service) -> str:
        """Give what a service's button says. Raises `ActionFailed` likewise."""
        return self._place(service)[1].metadata.service_label

    def admin_label(self, server: Server) -> str:
        """Give what the button of a server says. Raises `ActionFailed` if it has no panel."""
        return self._module(server).metadata.admin_label

    def hosts(self, server: Server) -> tuple[str, ...]:
        """Give the host names that a launch of a server may lead to."""
        more = self.settings.servers.get(server.name)
        return server.hosts + (more.hosts if more else ())

    def _place(self, service: Service) -> tuple[Server, Module]:
        server = self.store.servers.get(service.server) if service.server else None
        if server is None:
            raise ActionFailed(f"service {service.number} is on no server")
        return server, self._module(server)

    def _module(self, server: Server) -> Module:
        module = self.modules.get(server.module)
        if module is None:
            raise ActionFailed(f"{SERVERS.name(server)}: there is no module {server.module!r}")
        return module

    def _shortcuts(self, service: Service, server: Server, module: Module) -> tuple[Shortcut, ...]:
        for rule in self.settings.shortcuts:
            if _fits(rule, service, server):
                return tuple(Shortcut(page.app, page.label) for page in rule.pages)
        return module.metadata.shortcuts

    def _launched(
        self,
        server: Server,
        person: str,
        module: Module,
        params: Callable[[], ModuleParams],
        ask: Function,
    ) -> str:
        seconds = self.settings.limit
        call = partial(self._asked, server, module, params, ask, time.monotonic() + seconds)
        try:
            result = self.bulkheads.run(server.number, person, call, seconds=seconds)
        except ActionFailed:
            raise
        except NotImplementedError as error:
            raise ActionFailed(f"{SERVERS.name(server)}: its panel has no such function") from error
        except Exception as error:
            # Not its text: a stranger's exception may quote what it was given.
            raise ActionFailed(f"{SERVERS.name(server)}: {_told(error)}") from error
        return self._judged(result, server)

    def _asked(
        self,
        server: Server,
        module: Module,
        params: Callable[[], ModuleParams],
        ask: Function,
        until: float,
    ) -> LaunchResult:
        given = params()
        panel = HttpPanel(
            self.connections,
            server,
            module=server.module,
            port=port_of(server, module.metadata),
            until=until,
            log=self.log,
            secrets=given.secrets,
        )
        try:
            result = ask(given, panel)
        except PanelError as error:
            raise PanelError(mask(str(error), given.secrets)) from None
        except Exception:
            raise
        except BaseException as error:  # a module's own: it ends nothing but its launch
            raise RuntimeError(type(error).__name__) from error
        if isinstance(result, LaunchResult) and result.success is not True:
            raise _failed(server, result.error_msg, given.secrets)
        return result

    def _judged(self, result: object, server: Server) -> str:
        """A module that returns nothing, as WHMCS's own sample does, has failed."""
        name = SERVERS.name(server)
        if not isinstance(result, LaunchResult):
            raise ActionFailed(f"{name}: its module gave {type(result).__name__}, no LaunchResult")
        url = result.redirect_to
        if isinstance(url, str) and url.startswith("//"):
            url = f"https:{url}"
        host = url_host(url) if isinstance(url, str) else None
        plain = url[:5].lower() == "http:" if host else False
        if host is None or host not in self.hosts(server) or (plain and server.secure):
            where = f"to {host}" if host else "to no plain http(s) URL"
            raise ActionFailed(f"{name}: its module leads {where}{' in clear' if plain else ''}")
        return url


def open_launcher(
    store: Store,
    clock: Clock,
    sealer: Sealer | None,
    settings: LaunchSettings,
    base: Path,
    *,
    log: Callable[[ModuleCall], None] | None,
) -> Launcher:
    """Make what launches. `base` is the folder of gateway.yaml. Raises `ConfigurationError`."""
    files = {name: base / server.ca for name, server in settings.servers.items() if server.ca}
    return Launcher(
        store,
        clock,
        sealer,
        settings,
        open_modules(settings, base),
        Connections(networks=networks(settings.networks), ca_files=files),
        Bulkheads(each=settings.at_once, waiting=settings.waiting),
        log,
    )


def _fits(rule: ShortcutRule, service: Service, server: Server) -> bool:
    return rule.product in (None, service.product) and rule.server in (None, server.name)


def _failed(server: Server, said: object, secrets: tuple[str, ...]) -> ActionFailed:
    """Give a module's own words as one short line, which the page escapes: unless there is anything
    to mask. The text of an error that it met may quote what it was given."""
    text = said if isinstance(said, str) else ""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[:3000]).split())
    masked = mask(line, secrets)
    shown = line if len(line) <= LONGEST_WORDS else f"{line[:LONGEST_WORDS]}…"
    detail = f"{SERVERS.name(server)}: {masked or 'its module has failed'}"
    return ActionFailed(detail, said=shown if masked == line else "")


def _told(error: Exception) -> str:
    if isinstance(error, PanelError):
        return str(error)
    return f"its module raised {type(error).__name__}"
