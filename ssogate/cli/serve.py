"""`ssogate serve`: check, then become gunicorn."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from ssogate.app import prepare
from ssogate.cli.console import config_option
from ssogate.cli.server_settings import PACKAGED, server_file
from ssogate.settings import CONFIG_VARIABLE

APP = "ssogate.app:gateway()"


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("options", nargs=-1, type=click.UNPROCESSED, metavar="[GUNICORN OPTIONS]...")
@config_option
def serve(options: tuple[str, ...], config: Path) -> None:
    """Serve the gate with gunicorn.

    gunicorn reads the gunicorn.conf.py beside gateway.yaml, or hardened settings of ours if there
    is none. Options are gunicorn's own; `gunicorn --help` lists them. An unsafe setting or a
    mistake in gateway.yaml stops the start.

    \b
    Examples:
      ssogate serve
      ssogate serve --bind 127.0.0.1:9000 --workers 4
      ssogate serve --config /etc/ssogate/gateway.yaml -c /etc/ssogate/gunicorn.py
    """
    prepare(config)
    command = [sys.executable, "-m", "gunicorn", "-c", str(server_file(config) or PACKAGED)]
    environ = {**os.environ, CONFIG_VARIABLE: str(config.absolute())}
    os.execve(sys.executable, [*command, *options, APP], environ)  # noqa: S606 (no shell)
