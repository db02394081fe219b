"""How gunicorn serves the gate: run `ssogate serve`, or `gunicorn`, in this folder.

The import brings the hardened settings (ssogate/worker/safe.py says why each is what it is) and
the check of all of them, with gateway.yaml and the policies, at the start. What follows are an
operator's choices.
"""

import os

from ssogate.cli.gunicorn_conf import *  # noqa: F403 (gunicorn reads its settings by name)

# Loopback: an https proxy on this machine is the only one that should reach the gate in clear.
bind = os.environ.get("SSOGATE_BIND", "127.0.0.1:8000")

# A worker for each core, to which it keeps (SSOGATE_CPU=any lets it run on all of them); a thread
# for each request that is under way.
workers = int(os.environ.get("SSOGATE_WORKERS", "2"))
threads = int(os.environ.get("SSOGATE_THREADS", "16"))

# Longer than balancers keep idle connections (60 s is common): who closes first gets no 502.
keepalive = 75

# A worker that does not come round for this long is replaced; answers may take longer than that.
timeout = 30
# How long a stopping or reloading worker may finish what it has begun.
graceful_timeout = 30
