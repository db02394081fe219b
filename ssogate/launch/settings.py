"""The settings of single sign-on out to control panels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from ssogate.config import Duration, HostPattern, Network, Settings
from ssogate.http.redirects import local_path
from ssogate.launch.modules.custom_http_settings import CustomHttpSettings, ShortcutSettings
from ssogate.launch.modules.php import PhpSettings


class PluginSettings(Settings):
    """A module that an installed Python package brings."""

    kind: Literal["plugin"]
    """A class of an installed package, found by its entry point."""
    entry_point: str
    """Its name in the group `ssogate.modules`."""


ModuleSettings = Annotated[
    CustomHttpSettings | PhpSettings | PluginSettings, Field(discriminator="kind")
]


class PanelServerSettings(Settings):
    """What a server's record does not say."""

    ca: Path | None = None
    """A file of certificates (PEM) to trust for this server, instead of the system's."""
    hosts: tuple[HostPattern, ...] = ()
    """Further host names that a launch may lead to."""

    @field_validator("hosts")
    @classmethod
    def _named(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any("*" in host for host in value):
            raise ValueError("name each host: a launch leads to no unknown one")
        return value


class ShortcutRule(Settings):
    """Which pages of a panel people may open at once. The first rule that fits a service counts;
    without one, those that the module knows."""

    product: str | None = None
    """Only for services of this product."""
    server: str | None = None
    """Only on the server of this name."""
    pages: tuple[ShortcutSettings, ...] = ()
    """None at all, if not given."""


class ProductSettings(Settings):
    """What WHMCS's modules are told of a product, besides its name."""

    pid: int = Field(default=0, ge=0, le=2**31 - 1)
    """`pid`."""
    type: str = ""
    """`producttype`, such as `hostingaccount`."""
    options: tuple[str, ...] = Field(default=(), max_length=24)
    """`configoption1` and so on."""


class LaunchSettings(Settings):
    """Signing people in to control panels: WHMCS's `dosinglesignon`, for the services and servers
    of the directory."""

    base: str = "/"
    """The path of the client area: what stands in WHMCS's folder."""
    modules: dict[str, ModuleSettings] = Field(default_factory=dict)
    """Modules besides the ones that ship (`cpanel`, `plesk`, `directadmin`, `virtualmin`), by the
    name that servers have them by."""
    servers: dict[str, PanelServerSettings] = Field(default_factory=dict)
    """Servers of the directory, by name, of which there is more to say."""
    networks: tuple[Network, ...] = ()
    """Private networks in which servers may be. A server that is named by its address may be there
    without this."""
    shortcuts: tuple[ShortcutRule, ...] = ()
    """Pages of the panels, by product and server."""
    products: dict[str, ProductSettings] = Field(default_factory=dict)
    """What modules are told of a product, by its name."""
    limit: Duration = Field(default=20.0, ge=1, le=120)
    """How long a panel may take."""
    at_once: int = Field(default=4, ge=1, le=100)
    """How many launches to one server run at a time in a worker; more are refused at once."""
    waiting: int = Field(default=8, ge=1, le=100)
    """How many requests in a worker wait for panels, whichever; less than the worker's threads, so
    that a panel that hangs holds up nobody else."""
    module_log: bool = False
    """Write each call of a module to the gate's log, with secrets masked."""

    @field_validator("base")
    @classmethod
    def _plain(cls, value: str) -> str:
        found = local_path(value)
        if found is None or found.text != value or "?" in value:
            raise ValueError("write a plain path of this site, such as /billing")
        return value
