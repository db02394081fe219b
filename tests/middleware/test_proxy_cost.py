"""What a relayed request costs, counted in Python calls: the same on every machine."""

from __future__ import annotations

import io
import sys
from typing import Any

from ssogate.http import environ as env
from ssogate.http.identity import DEFAULT_HEADERS
from ssogate.middleware.proxy import ReverseProxy
from ssogate.upstream.route import Upstream
from ssogate.upstream.settings import RouteSettings, UpstreamSettings, open_routes
from tests.middleware.test_proxy import JOHN, signed_in
from tests.upstream.scripted import Scripted, ok

# Measured: 89 on Python 3.11, of which three choose among servers and count what each has under
# way. A tenth on top, so that a slip is told before it is a habit.
MOST_CALLS = 98

ENVIRON = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/members/board",
    "QUERY_STRING": "page=2",
    "RAW_URI": "/members/board?page=2",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "REMOTE_ADDR": "192.0.2.7",
    "HTTP_HOST": "app.example",
    "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/128.0",
    "HTTP_ACCEPT": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8",
    "HTTP_ACCEPT_LANGUAGE": "en",
    "HTTP_ACCEPT_ENCODING": "gzip, deflate, br",
    "HTTP_COOKIE": "theme=dark; __Host-ssogate=secret",
    "HTTP_CONNECTION": "keep-alive",
    "wsgi.url_scheme": "https",
    "wsgi.input": io.BytesIO(),
}
ANSWER = ok(b"x" * 1024, "Server: x", "ETag: y", "Cache-Control: private", "X-Frame-Options: DENY")


def calls_of(work: Any) -> list[str]:
    """The Python functions that `work` enters."""
    entered = []

    def profile(frame: Any, event: str, _: Any) -> None:
        if event == "call":
            entered.append(frame.f_code.co_name)

    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(None)
    return entered


def test_a_relayed_request_takes_few_calls() -> None:
    outer = {
        env.SESSION: signed_in(JOHN),
        env.REQUEST_ID: "abc",
        env.CLIENT: env.parse_address("192.0.2.7"),
        env.TARGET: env.read_target(ENVIRON),
    }
    with Scripted(otherwise=ANSWER) as upstream:
        settings = UpstreamSettings.model_validate({"url": upstream.url})
        table = open_routes([RouteSettings(upstream="app")], {"app": settings}, DEFAULT_HEADERS)
        proxy = ReverseProxy(table)

        def ask() -> None:
            for _ in proxy({**ENVIRON, **outer}, lambda *_: lambda _: None):
                pass

        ask()  # connects, and learns the names of headers
        ask()
        calls = calls_of(ask)
        to = table.routes[0].to
        assert isinstance(to, Upstream)
        to.close()

    assert len(calls) <= MOST_CALLS, calls
    assert upstream.connections == 1
