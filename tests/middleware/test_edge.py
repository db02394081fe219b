"""Only one target, one client, and no header that a visitor may not send gets behind the edge."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from werkzeug.test import EnvironBuilder, TestResponse, run_wsgi_app

from ssogate.http import environ as env
from ssogate.http.scrub import Scrubber
from ssogate.http.site import Opening, Site
from ssogate.middleware.edge import Edge
from ssogate.model import Address
from tests.middleware.recording import HOST, Recorder, Strict, code

OPENINGS = (
    Opening("", "/wiki", encoded_slash=True),
    Opening("files.example", "/dav", double_slash=True),
)
HOSTS = (HOST, "files.example", "*.shops.example")
PROXY = ip_address("10.0.0.1")


def trusts(peer: Address | None) -> bool:
    return peer == PROXY


def edge(app: Recorder, **changes: Any) -> Edge:
    usual: dict[str, Any] = {
        "site": Site(HOSTS, OPENINGS),
        "scheme": "https",
        "trusts": trusts,
        "scrubber": Scrubber(["X-My-User"]),
    }
    return Edge(app, **(usual | changes))


def environ_of(path: str = "/", *, host: str = HOST, **environ: Any) -> dict[str, Any]:
    """What gunicorn passes for a raw request target."""
    raw, _, query = path.partition("?")
    return {
        "RAW_URI": path,
        "REQUEST_URI": path,
        "PATH_INFO": unquote_to_bytes(raw).decode("latin-1"),
        "QUERY_STRING": query,
        "HTTP_HOST": host,
        "REMOTE_ADDR": "1.2.3.4",
        **environ,
    }


def sent(app: Recorder, *path: str, **environ: Any) -> TestResponse:
    return Strict(edge(app)).get("/", environ_overrides=environ_of(*path, **environ))


# --- The target ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "path", "uri"),
    [
        pytest.param("/a?b=c", "/a", "/a?b=c", id="plain"),
        pytest.param("/%61%7e", "/a~", "/a~", id="needless escapes"),
        pytest.param("/caf%c3%a9?x", "/caf\xc3\xa9", "/caf%C3%A9?x", id="UTF-8"),
        pytest.param("/wiki/a%2fb", "/wiki/a/b", "/wiki/a%2Fb", id="opened"),
    ],
)
def test_the_app_sees_the_very_target_that_was_judged(raw: str, path: str, uri: str) -> None:
    app = Recorder()
    sent(app, raw)

    assert app.only["PATH_INFO"] == path
    assert app.only["RAW_URI"] == app.only["REQUEST_URI"] == uri
    assert app.only["QUERY_STRING"] == uri.partition("?")[2]
    assert app.only[env.TARGET].path == uri.partition("?")[0]


def test_an_empty_path_is_the_root() -> None:
    app = Recorder()
    sent(app, PATH_INFO="")

    assert app.only["PATH_INFO"] == "/"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"path": "/pub/%2e%2e/admin"}, "bad_target", id="encoded dots"),
        pytest.param({"path": "/a%2fb"}, "bad_target", id="encoded slash elsewhere"),
        pytest.param({"path": "/wikix/a%2fb"}, "bad_target", id="a longer name"),
        pytest.param({"path": "/wiki%2fa"}, "bad_target", id="the opening's own slash"),
        pytest.param({"path": "/wiki/a%2f..%2f..%2fadmin"}, "bad_target", id="dots in the opened"),
        pytest.param({"path": "/x/../wiki/a%2fb"}, "bad_target", id="dots before the opened"),
        pytest.param({"path": "/dav//a"}, "bad_target", id="opened on another host"),
        pytest.param({"path": "/pub", "PATH_INFO": "/admin"}, "bad_target", id="two paths"),
        pytest.param(
            {"path": "/x/a", "SCRIPT_NAME": "/x", "PATH_INFO": "/a"}, "bad_mount", id="E4"
        ),
        pytest.param({"host": "evil.example"}, "unknown_host", id="another host"),
        pytest.param({"host": f"x.{HOST}"}, "unknown_host", id="below a host"),
        pytest.param({"host": f"evil{HOST}"}, "unknown_host", id="a longer host"),
        pytest.param({"host": f"{HOST}.evil.example"}, "unknown_host", id="a host that goes on"),
        pytest.param({"host": "shops.example"}, "unknown_host", id="itself, for *."),
        pytest.param({"host": "evilshops.example"}, "unknown_host", id="suffix without a dot"),
        pytest.param({"host": f"a@{HOST}"}, "bad_host", id="user part"),
        pytest.param({"host": f"{HOST}:x"}, "bad_host", id="port of letters"),
        pytest.param({"host": ""}, "bad_host", id="no host"),
        pytest.param({"host": f"{HOST},{HOST}"}, "bad_host", id="two hosts joined"),
        pytest.param({"path": "http://evil.example/"}, "bad_headers", id="absolute, another host"),
        pytest.param({"REQUEST_METHOD": "TRACE"}, "method_refused", id="TRACE"),
        pytest.param({"CONTENT_LENGTH": "-1"}, "bad_headers", id="length below 0"),
        pytest.param({"HTTP_TRANSFER_ENCODING": "gzip, chunked"}, "coding_refused", id="G8"),
    ],
)
def test_what_is_ambiguous_gets_no_further(changes: dict[str, Any], expected: str) -> None:
    app = Recorder()

    # Not under wsgiref.validate, which takes some of these for a mistake of the server's.
    environ = EnvironBuilder(environ_overrides=environ_of(**changes)).get_environ()
    _, _, headers = run_wsgi_app(edge(app), environ)

    assert headers["X-SSOGate-Error"] == expected
    assert app.seen == []


@pytest.mark.parametrize(
    "host",
    [HOST, "APP.Example", f"{HOST}.", f"{HOST}:443", "a.shops.example", "a.b.Shops.example:8443"],
)
def test_a_host_that_is_served_is_let_through(host: str) -> None:
    app = Recorder()

    assert sent(app, host=host).status_code == 200
    assert app.only[env.TARGET].host == host.lower().partition(":")[0].rstrip(".")


def test_an_opening_may_be_for_one_host() -> None:
    app = Recorder()

    assert sent(app, "/dav//a", host="files.example").status_code == 200
    assert ("dav", "a") in app.only[env.TARGET].readings


# --- The client, the scheme, the headers ---------------------------------------------------------


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        pytest.param("1.2.3.4", "6.6.6.6", "1.2.3.4", id="a stranger's claim"),
        pytest.param("10.0.0.1", "6.6.6.6, 1.2.3.4", "1.2.3.4", id="a proxy's word"),
        pytest.param("::ffff:10.0.0.1", "1.2.3.4", "1.2.3.4", id="a proxy as mapped IPv6"),
        pytest.param("10.0.0.1", "garbage", "10.0.0.1", id="a proxy's garbage"),
    ],
)
def test_the_client_is_found_and_the_claims_are_dropped(
    peer: str, forwarded: str, client: str
) -> None:
    app = Recorder()
    sent(app, REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=forwarded)

    assert app.only[env.CLIENT] == ip_address(client)
    assert "HTTP_X_FORWARDED_FOR" not in app.only
    assert app.only["REMOTE_ADDR"] == peer


@pytest.mark.parametrize("peer", ["1.2.3.4", "10.0.0.1"])
def test_the_scheme_is_the_configurations(peer: str) -> None:
    app = Recorder()
    sent(app, REMOTE_ADDR=peer, HTTP_X_FORWARDED_PROTO="http")

    assert app.only["wsgi.url_scheme"] == "https"
    assert env.scheme(app.only) == "https"


@pytest.mark.parametrize(
    "key",
    [
        "HTTP_X_REMOTE_USER",
        "HTTP_X.REMOTE.USER",
        "HTTP_X~REMOTE~USER",
        "HTTP_REMOTE_USER",
        "HTTP_X_MY_USER",
        "HTTP_X_FORWARDED_HOST",
        "HTTP_X_FORWARDED_URI",
        "HTTP_X_ORIGINAL_URL",
        "HTTP_FORWARDED",
        "HTTP_PROXY",
        "HTTP_",
    ],
)
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_no_header_that_a_visitor_may_not_send_gets_through(key: str, method: str) -> None:
    app = Recorder()
    sent(app, REQUEST_METHOD=method, **{key: "admin", "HTTP_ACCEPT": "x"})

    assert key not in app.only
    assert app.only["HTTP_ACCEPT"] == "x"


def test_a_refusal_shows_nothing_that_was_sent() -> None:
    app = Recorder()
    response = sent(app, '/"><script>alert(1)</script>/../x', HTTP_ACCEPT="text/html")

    assert code(response) == "bad_target"
    assert b"<script" not in response.data
