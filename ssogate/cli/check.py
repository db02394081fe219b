"""`ssogate check`: everything that is wrong with the configuration, at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
from gunicorn.config import Config

from ssogate.cli.console import (
    MISTAKE,
    config_option,
    counted,
    nearby,
    say,
    say_facts,
    tell_problems,
)
from ssogate.cli.server_settings import server_file, server_settings
from ssogate.config import read
from ssogate.errors import ConfigurationError, Problem
from ssogate.gate import legacy_sources
from ssogate.lane import judge
from ssogate.login.password.method import PASSWORD
from ssogate.policy import policy_files
from ssogate.policy.settings import PolicyFile
from ssogate.settings import Loaded, load
from ssogate.upstream.settings import UpstreamSettings
from ssogate.worker.safe import problems as server_problems


@click.command()
@click.option("--wrap", is_flag=True, help="The gate wraps an app, so it needs no routes.")
@config_option
@click.pass_context
def check(ctx: click.Context, wrap: bool, config: Path) -> None:
    """Check the whole configuration.

    That is gateway.yaml, the policies with their tests, the settings of gunicorn, and what the
    databases of `sources` say to their queries. Every problem is told on a line of its own, with
    file, line and setting. Warnings alone are no failure.

    \b
    Examples:
      ssogate check
      ssogate check --config /etc/ssogate/gateway.yaml
      ssogate check --wrap
    """
    loaded, problems = _gateway(config, wrap)
    file = server_file(config)
    cfg: Config | None = None
    if file or not wrap:
        scheme = loaded.settings.public_url.scheme if loaded else None
        cfg, found = server_settings(file)
        problems += found or server_problems(cfg, public_scheme=scheme)
    problems += _sources(loaded) if loaded else ()
    if problems:
        tell_problems(problems)
    if loaded is None or any(not problem.warning for problem in problems):
        ctx.exit(MISTAKE)
    say(f"{config} is in order.")
    say_facts({**_summary(loaded), **(_server(cfg, file) if cfg else {})})


def _gateway(config: Path, wrap: bool) -> tuple[Loaded | None, list[Problem]]:
    try:
        loaded = load(config, proxying=not wrap)
    except ConfigurationError as error:
        return None, [*error.problems]
    return loaded, [*loaded.warnings]


def _sources(loaded: Loaded) -> Iterator[Problem]:
    """What is wrong with applications' databases; a warning, since one may merely be down."""
    for name, source in legacy_sources(loaded).items():
        for problem in source.check():
            yield Problem(str(loaded.file), 0, f"login.password.sources.{name}", problem, True)
        source.close()


def _places(upstream: UpstreamSettings) -> str:
    return ", ".join(map(str, upstream.origins))


def _summary(loaded: Loaded) -> dict[str, str]:
    settings = loaded.settings
    files = policy_files(loaded.base, settings.policy.files)
    tests = sum(len(read(file).validate(PolicyFile).tests) for file in files)
    ways = (f"{way.name} ({getattr(way, 'path', PASSWORD)})" for way in settings.login)
    return {
        "site": settings.public_url.origin,
        "ways in": ", ".join(ways) or "none: nobody can sign in",
        "upstreams": ", ".join(
            f"{name} ({_places(it)})" for name, it in settings.upstreams.items()
        ),
        "routes": str(len(settings.routes)),
        "rules": f"{len(loaded.policy.rules)} in {counted(len(files), 'file')}",
        "tests": f"{tests} passed",
        "store": f"{settings.store.kind}, {_store(loaded)}",
    }


def _store(loaded: Loaded) -> str:
    store = loaded.settings.store
    return store.url or nearby(str(loaded.base / store.path))


def _server(cfg: Config, file: Path | None) -> dict[str, str]:
    where = file or "our own settings, for want of a gunicorn.conf.py"
    addresses = ", ".join(cfg.settings["bind"].get())
    return {
        "server": f"{where}: {counted(cfg.workers, 'worker')}, on {addresses}",
        "fast lane": "not compiled" if judge.__file__.endswith(".py") else "compiled",
    }
