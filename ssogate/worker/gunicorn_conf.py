"""A gunicorn configuration that is safe for sign-ins.

Alone: `gunicorn -c python:ssogate.worker.gunicorn_conf 'package.module:app'`. To extend it, write
a gunicorn.conf.py that begins with `from ssogate.worker.gunicorn_conf import *` and goes on with
your own settings. If you replace a hook of this module, call `stop_if_unsafe` in yours: it is the
only thing that the hooks do.
"""

from __future__ import annotations

from typing import Any

from ssogate.worker.safe import SAFE
from ssogate.worker.start import stop_if_unsafe

globals().update(SAFE)  # gunicorn reads its settings from a module's names


def on_starting(server: Any) -> None:
    """Refuse to start with unsafe settings, wherever they come from."""
    stop_if_unsafe(server)


def on_reload(server: Any) -> None:
    """Refuse to go on with unsafe settings after a SIGHUP."""
    stop_if_unsafe(server)
