"""The reverse proxy alone, for a real gunicorn. The environment names the upstream."""

from __future__ import annotations

import os

from ssogate.http.identity import DEFAULT_HEADERS
from ssogate.middleware.proxy import ReverseProxy
from ssogate.upstream.settings import RouteSettings, UpstreamSettings, open_routes

_SETTINGS = {"url": os.environ["TEST_UPSTREAM"], "read_timeout": 2.0, "write_timeout": 2.0}
_UPSTREAMS = {"app": UpstreamSettings.model_validate(_SETTINGS)}

app = ReverseProxy(open_routes([RouteSettings(upstream="app")], _UPSTREAMS, DEFAULT_HEADERS))
