"""The modules by name: those that ship, and those that gateway.yaml adds. A package is asked for
its module only when the file names it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path

from ssogate.errors import ConfigurationError, Problem
from ssogate.launch.module import Metadata, Module
from ssogate.launch.modules import BUILT_IN
from ssogate.launch.modules.custom_http import CustomHttp
from ssogate.launch.modules.custom_http_settings import CustomHttpSettings
from ssogate.launch.modules.php import Php, PhpSettings
from ssogate.launch.settings import LaunchSettings, ModuleSettings, PluginSettings

GROUP = "ssogate.modules"


def open_modules(settings: LaunchSettings, base: Path) -> Mapping[str, Module]:
    """Give all modules; `base` is the folder of gateway.yaml. Raises `ConfigurationError`."""
    added = {name: _opened(name, way, settings, base) for name, way in settings.modules.items()}
    return {**BUILT_IN, **added}


def _opened(name: str, way: ModuleSettings, settings: LaunchSettings, base: Path) -> Module:
    try:
        match way:
            case CustomHttpSettings():
                return CustomHttp(way)
            case PhpSettings():
                module = Php(way, base, settings.limit)
                _ = module.metadata  # asked for once, and not while somebody waits
                return module
        return _plugin(way)
    except (ValueError, LookupError) as error:
        where = f"launch.modules.{name}"
        raise ConfigurationError([Problem("gateway.yaml", 0, where, str(error))]) from error


def _plugin(way: PluginSettings) -> Module:
    found = entry_points(group=GROUP, name=way.entry_point)
    if not found:
        raise LookupError(f"no installed package has {way.entry_point!r} among its {GROUP}")
    try:
        made: Module = next(iter(found)).load()()
        known = isinstance(made.metadata, Metadata)
    except Exception as error:
        raise ValueError(f"{way.entry_point}: {type(error).__name__}: {error}") from error
    if not known:
        raise ValueError(f"{way.entry_point}: its `metadata` is no Metadata")
    return made
