"""How gunicorn serves the gate: run `gunicorn` in this folder.

The first import brings the hardened settings (ssogate/worker/safe.py says why each is what it
is); what follows are an operator's choices. At the start all of it is judged together with
gateway.yaml, and an unsafe setting stops the start with exit status 2.
"""

import os
from typing import Any

from ssogate.app import prepare
from ssogate.errors import ConfigurationError
from ssogate.worker.gunicorn_conf import *  # noqa: F403 (gunicorn reads its settings by name)
from ssogate.worker.start import stop_if_unsafe

wsgi_app = "ssogate.app:gateway()"

# Loopback: an https proxy on this machine is the only one that should reach the gate in clear.
bind = os.environ.get("SSOGATE_BIND", "127.0.0.1:8000")

# A worker for each core; a thread for each request that is under way.
workers = int(os.environ.get("SSOGATE_WORKERS", "2"))
worker_class = "gthread"
threads = int(os.environ.get("SSOGATE_THREADS", "16"))

# Longer than balancers keep idle connections (60 s is common): who closes first gets no 502.
keepalive = 75

# A worker that does not come round for this long is replaced; answers may take longer than that.
timeout = 30
# How long a stopping or reloading worker may finish what it has begun.
graceful_timeout = 30


def check(server: Any) -> None:
    """Check gateway.yaml, the policies and these settings; make the store before workers fork."""
    try:
        loaded = prepare()
    except ConfigurationError as error:
        stop_if_unsafe(server, error.problems)
    else:
        scheme = loaded.settings.public_url.scheme
        stop_if_unsafe(server, loaded.warnings, public_scheme=scheme)


on_starting = on_reload = check
