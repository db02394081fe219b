"""How gunicorn serves the gate: what `ssogate serve` uses when there is no gunicorn.conf.py.

A gunicorn.conf.py of your own begins with `from ssogate.cli.gunicorn_conf import *` and goes on
with your settings. At the start all of it is judged together with gateway.yaml and the policies,
and a mistake stops the start with exit status 2. At a reload (SIGHUP) a mistake in gateway.yaml or
the policies is told, and what works goes on; a server setting that became unsafe stops the server.
"""

from __future__ import annotations

from typing import Any

from ssogate.app import prepare
from ssogate.errors import ConfigurationError
from ssogate.worker.safe import SAFE
from ssogate.worker.start import keep_what_works, stop_if_unsafe

globals().update(SAFE)  # gunicorn reads its settings from a module's names
wsgi_app = "ssogate.app:gateway()"


def on_starting(server: Any) -> None:
    """Check everything, and make the store, before the first worker is forked."""
    _check(server)
    keep_what_works(server, prepare)


def on_reload(server: Any) -> None:
    """Judge the settings that gunicorn has just read anew."""
    _check(server)


def _check(server: Any) -> None:
    try:
        loaded = prepare()
    except ConfigurationError as error:
        stop_if_unsafe(server, error.problems)
    else:
        scheme = loaded.settings.public_url.scheme
        stop_if_unsafe(server, loaded.warnings, public_scheme=scheme)
