"""Dialling: TLS is verified unless an alarming setting says otherwise; own URLs are recognised."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from ssogate.errors import UpstreamUnreachable
from ssogate.upstream.forward import Outgoing, UpstreamCut, relay
from ssogate.upstream.origin import Origin, parse_origin
from ssogate.upstream.route import Upstream
from ssogate.upstream.settings import UpstreamSettings
from tests.upstream.scripted import Scripted, Talk, ok


@pytest.fixture
def opened() -> Iterator[list[Upstream]]:
    upstreams: list[Upstream] = []
    yield upstreams
    for app in upstreams:
        app.close()


def app(opened: list[Upstream], url: str, **settings: object) -> Upstream:
    opened.append(UpstreamSettings.model_validate({"url": url, **settings}).open("app"))
    return opened[-1]


GET = Outgoing("GET", "/", ["Host: app.example"])


def test_a_certificate_that_nobody_vouches_for_is_refused(
    tls: ssl.SSLContext, opened: list[Upstream]
) -> None:
    with Scripted(tls=tls) as upstream:
        with pytest.raises(UpstreamUnreachable, match="certificate verify failed"):
            relay(app(opened, upstream.url), GET)

        assert upstream.requests == []


def test_a_certificate_for_another_name_is_refused(
    tls: ssl.SSLContext, certificate: Path, opened: list[Upstream]
) -> None:
    with Scripted(tls=tls) as upstream:
        url = f"https://localhost:{upstream.port}"
        with pytest.raises(UpstreamUnreachable, match="certificate"):
            relay(app(opened, url, ca_file=str(certificate)), GET)

        assert upstream.requests == []


def test_an_upstream_on_https_is_relayed_and_its_connection_kept(
    tls: ssl.SSLContext, certificate: Path, opened: list[Upstream]
) -> None:
    with Scripted(tls=tls, otherwise=ok(b"x" * 100_000)) as upstream:
        kept = app(opened, upstream.url, ca_file=str(certificate))
        bodies = [b"".join(relay(kept, GET).body) for _ in range(3)]

        assert bodies == [b"x" * 100_000] * 3
        assert upstream.connections == 1


def test_a_long_upload_passes_tls(
    tls: ssl.SSLContext, certificate: Path, opened: list[Upstream]
) -> None:
    """The server's own messages (session tickets) arrive during the upload, and are no answer."""
    import io

    from ssogate.upstream.forward import Body

    data = bytes(range(256)) * 20_000
    with Scripted(tls=tls) as upstream:
        kept = app(opened, upstream.url, ca_file=str(certificate))
        body = Body(io.BytesIO(data).read, len(data), 2**30)
        assert relay(kept, Outgoing("POST", "/", ["Host: a"], body)).status == 200

        assert upstream.requests[0].body == data


def test_verification_is_given_up_only_by_name(tls: ssl.SSLContext, opened: list[Upstream]) -> None:
    with Scripted(tls=tls) as upstream:
        careless = app(opened, upstream.url, insecure_skip_verify=True)

        assert relay(careless, GET).status == 200


def test_a_tls_connection_that_is_cut_is_not_an_orderly_end(
    tls: ssl.SSLContext, certificate: Path, opened: list[Upstream]
) -> None:
    """Anybody can end the TCP connection below TLS: a body up to the close would seem whole."""

    def cut(talk: Talk) -> None:
        talk.read_request()
        talk.send(b"HTTP/1.1 200 OK\r\n\r\nhalf of")
        talk.sock.shutdown(socket.SHUT_RDWR)  # the TCP connection; TLS says no goodbye

    with Scripted(tls=tls, scripts=[[cut]]) as upstream:
        answer = relay(app(opened, upstream.url, ca_file=str(certificate)), GET)
        with pytest.raises(UpstreamCut):
            b"".join(answer.body)


def test_bytes_that_tls_has_decrypted_already_are_left_over_as_well(
    tls: ssl.SSLContext, certificate: Path, opened: list[Upstream]
) -> None:
    """G12 below the socket: the extra bytes are in the same TLS record as the body's end."""

    def overlong(talk: Talk) -> None:
        talk.read_request()
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        talk.send(b"hi" + ok(b"forged"))
        talk.read_head()

    with Scripted(tls=tls, scripts=[[overlong]], otherwise=ok(b"bob's")) as upstream:
        kept = app(opened, upstream.url, ca_file=str(certificate))

        assert b"".join(relay(kept, GET).body) == b"hi"
        assert b"".join(relay(kept, GET).body) == b"bob's"
        assert upstream.connections == 2


@pytest.mark.parametrize(
    ("origin", "url", "path"),
    [
        pytest.param("http://app:8001", "http://app:8001/x?y#z", "/x?y#z", id="own"),
        pytest.param("http://app:8001", "HTTP://APP:8001", "", id="in capitals, without a path"),
        pytest.param("http://app:8001", "http://app:8001?x", "?x", id="query only"),
        pytest.param("http://app:8001", "http://app:8001.evil.example/", None, id="longer host"),
        pytest.param("http://app:8001", "http://app:80011/", None, id="longer port"),
        pytest.param("http://app:8001", "http://app:8001@evil.example/", None, id="user part"),
        pytest.param("http://app:8001", "http://app:8001\\@evil.example/", None, id="backslash"),
        pytest.param("http://app:8001", "http://app/", None, id="another port"),
        pytest.param("http://app:8001", "https://app:8001/", None, id="another scheme"),
        pytest.param("http://app:8001", "//app:8001/", None, id="no scheme"),
        pytest.param("http://app:8001", "/x", None, id="a path"),
        pytest.param("http://app", "http://app/x", "/x", id="default port left out"),
        pytest.param("http://app", "http://app:80/x", "/x", id="default port written"),
        pytest.param("http://a.b", "http://axb/x", None, id="a dot is a dot"),
        pytest.param("https://app", "https://app:443/x", "/x", id="https"),
        pytest.param("http://[::1]:81", "http://[::1]:81/x", "/x", id="address"),
        pytest.param("http://app:8001", "http://known.as/x", "/x", id="by its other name"),
    ],
)
def test_an_upstreams_own_urls_are_recognised(origin: str, url: str, path: str | None) -> None:
    assert parse_origin(origin).own_path(url, "known.as") == path


def test_an_origin_is_shown_as_it_is_written() -> None:
    assert str(parse_origin("http+unix:/run/x")) == "unix:/run/x"
    assert str(Origin("https", "app", 443)) == "https://app"
