"""Active checks against real servers: what is asked, what counts, and whose threads they are."""

from __future__ import annotations

import socket
import ssl
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from ssogate.errors import UpstreamDown
from ssogate.upstream.check import HealthCheckSettings
from ssogate.upstream.route import Upstream
from ssogate.upstream.settings import UpstreamSettings
from tests.upstream.scripted import Scripted, Step, Talk, ok
from tests.upstream.test_pool import in_a_fork

OFTEN = {"path": "/health?deep", "interval": 0.02, "timeout": 0.5}


def eventually(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def checked() -> Iterator[Callable[..., Upstream]]:
    opened: list[Upstream] = []

    def open_app(*servers: Scripted, check: dict[str, Any] | None = None, **more: Any) -> Upstream:
        settings = {"servers": [it.url for it in servers], "health_check": check or OFTEN, **more}
        opened.append(UpstreamSettings.model_validate(settings).open("app"))
        return opened[-1]

    yield open_app
    for upstream in opened:
        upstream.close()


Checked = Callable[..., Upstream]


def begin(upstream: Upstream) -> None:
    """Have the first request come and go."""
    with suppress(UpstreamDown):
        upstream.choose(0.0).health.ended()


def test_nothing_is_asked_before_the_first_request_and_after_the_end(checked: Checked) -> None:
    with Scripted() as app:
        upstream = checked(app)
        assert app.connections == 0
        begin(upstream)
        eventually(lambda: len(app.requests) >= 3)
        upstream.close()
        never = checked(app)
        never.close()
        before = app.connections
        begin(upstream)
        begin(never)
        time.sleep(0.1)

        assert app.connections == before


@pytest.mark.parametrize(
    ("setting", "host"),
    [("preserve", None), ("upstream", None), ("club.internal", "club.internal")],
)
def test_a_check_is_a_request_that_says_whose_it_is(
    checked: Checked, setting: str, host: str | None
) -> None:
    with Scripted() as app:
        begin(checked(app, host_header=setting))
        eventually(lambda: len(app.requests) >= 1)
        request = app.requests[0]

        assert request.line == "GET /health?deep HTTP/1.1"
        assert request.all("Host") == [host or f"127.0.0.1:{app.port}"]
        assert request.all("User-Agent") == ["ssogate-health"]
        assert request.all("Cookie") == request.all("X-Remote-User") == []


def hang(talk: Talk) -> None:
    talk.read_request()
    talk.wait_for_hang_up()


@pytest.mark.parametrize(
    ("answer", "expect", "fault"),
    [
        pytest.param(ok(), None, None, id="200"),
        pytest.param(ok(status="302 Found"), None, None, id="302"),
        pytest.param(ok(status="400 Bad"), None, "answered with 400", id="400"),
        pytest.param(ok(status="503 Draining"), None, "answered with 503", id="503"),
        pytest.param(ok(status="401 Who"), 401, None, id="as expected"),
        pytest.param(ok(), 204, "answered with 200", id="not as expected"),
        pytest.param(b"HTTP/1.1 103 Hints\r\n\r\n" + ok(), None, None, id="after a hint"),
        pytest.param(b"nonsense\r\n\r\n", None, "status line", id="garbage"),
        pytest.param(lambda talk: None, None, "", id="hangs up"),
        pytest.param(hang, None, "does not answer", id="does not answer"),
    ],
)
def test_what_is_well_and_what_is_not(answer: Step, expect: int | None, fault: str | None) -> None:
    settings = HealthCheckSettings(path="/", timeout=0.2, expect=expect)
    with Scripted(scripts=[[answer]]) as app:
        server = UpstreamSettings.model_validate({"url": app.url}).open("app").servers[0]
        found = settings.fault(server.dial, "app.example")

    assert (found is None) is (fault is None)
    assert (fault or "") in (found or "")


def test_a_server_that_nobody_listens_at_is_not_well() -> None:
    with Scripted() as app:
        url = app.url
    server = UpstreamSettings.model_validate({"url": url}).open("app").servers[0]

    assert "refused" in (HealthCheckSettings(path="/").fault(server.dial, "app.example") or "")


def test_a_server_that_hangs_up_before_it_is_asked_is_not_well() -> None:
    def dial() -> socket.socket:
        ours, theirs = socket.socketpair()
        theirs.close()
        return ours

    assert HealthCheckSettings(path="/").fault(dial, "app.example")


def test_a_server_whose_checks_fail_is_left_alone_until_one_succeeds(checked: Checked) -> None:
    with Scripted(otherwise=ok(status="503 Draining")) as sick, Scripted() as well:
        upstream = checked(sick, well, max_failures=2)
        begin(upstream)
        first, second = upstream.servers
        eventually(lambda: first.health.out)

        assert [upstream.choose(0.0) for _ in range(3)] == [second] * 3
        sick.otherwise = ok()
        eventually(lambda: not first.health.out)
        assert upstream.choose(0.0) is first


def test_a_server_that_hangs_delays_no_other_check(checked: Checked) -> None:
    with Scripted(scripts=[[hang]] * 50) as hanging, Scripted() as well:
        begin(checked(hanging, well, check={**OFTEN, "timeout": 60.0}))
        eventually(lambda: len(well.requests) >= 5)

        assert len(hanging.requests) <= 1


def test_a_fork_has_checks_of_its_own(checked: Checked) -> None:
    with Scripted() as app:
        upstream = checked(app, max_failures=1)
        begin(upstream)
        eventually(lambda: len(app.requests) >= 1)
        health = upstream.servers[0].health

        def child() -> bool:
            health.checked("as the parent saw it")
            begin(upstream)
            eventually(lambda: not health.out)
            return True

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the parent has threads; so be it
            assert in_a_fork(child) == "True"


@pytest.mark.parametrize(
    ("written", "message"),
    [
        pytest.param({}, "path", id="no path"),
        pytest.param({"path": "health"}, "starts with a slash", id="no slash"),
        pytest.param({"path": "/a b"}, "starts with a slash", id="space"),
        pytest.param({"path": "/a#b"}, "starts with a slash", id="fragment"),
        pytest.param({"path": "/é"}, "starts with a slash", id="unescaped"),
        pytest.param({"path": "/a\r\nX: y"}, "starts with a slash", id="line"),
        pytest.param({"path": "/", "interval": 0}, "above zero", id="no interval"),
        pytest.param({"path": "/", "timeout": 7200}, "at most 1h", id="long timeout"),
        pytest.param({"path": "/", "expect": 100}, "200", id="no final status"),
        pytest.param({"path": "/", "rise": 2}, "not permitted", id="unknown key"),
    ],
)
def test_a_mistaken_check_is_refused(written: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        HealthCheckSettings.model_validate(written)


@pytest.mark.parametrize("vouched_for", [True, False])
def test_a_check_verifies_certificates_as_requests_do(
    checked: Checked, tls: ssl.SSLContext, certificate: Path, vouched_for: bool
) -> None:
    with Scripted(tls=tls) as app:
        more = {"ca_file": str(certificate)} if vouched_for else {}
        upstream = checked(app, max_failures=1, **more)
        begin(upstream)
        eventually(lambda: upstream.servers[0].health.out or len(app.requests) >= 2)

        assert upstream.servers[0].health.out is not vouched_for
        assert bool(app.requests) is vouched_for
