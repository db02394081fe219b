"""An unsafe server does not start: every problem in one line, and exit status 2."""

from __future__ import annotations

import io
import signal
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from gunicorn.config import Config
from gunicorn.errors import HaltServer

from ssogate.errors import Problem
from ssogate.worker.safe import SAFE
from ssogate.worker.start import stop_if_unsafe
from tests.servers import CONF, Gunicorn, ServerDied

APP = "tests.worker.echo:app"


@dataclass
class Pidfile:
    there: bool = True

    def unlink(self) -> None:
        self.there = False


@dataclass
class Arbiter:
    """As much of gunicorn's arbiter as the start looks at."""

    cfg: Config
    pidfile: Pidfile | None = None
    WORKERS: dict[int, object] = field(default_factory=dict)


def arbiter(**changes: object) -> Arbiter:
    cfg = Config()
    base = {"threads": 8, "user": 1000}
    for name, value in {**SAFE, **base, **changes}.items():
        cfg.set(name, value)
    return Arbiter(cfg)


def test_a_safe_server_starts_without_a_word() -> None:
    out = io.StringIO()

    stop_if_unsafe(arbiter(), out=out)

    assert out.getvalue() == ""


def test_a_warning_is_told_and_does_not_stop_the_start() -> None:
    out = io.StringIO()

    stop_if_unsafe(arbiter(threads=1), out=out)

    assert out.getvalue().startswith("gunicorn: warning: threads: ")


def test_all_problems_are_told_together_with_those_of_others() -> None:
    out = io.StringIO()
    other = Problem("gateway.yaml", 7, "hosts", "is missing")

    with pytest.raises(SystemExit) as stopped:
        stop_if_unsafe(arbiter(reload=True, header_map="drop"), [other], out=out)

    assert stopped.value.code == 2
    places = [line.split(": ")[:2] for line in out.getvalue().splitlines()]
    assert places == [
        ["gateway.yaml:7", "hosts"],
        ["gunicorn", "header_map"],
        ["gunicorn", "reload"],
    ]


def test_problems_of_others_alone_stop_the_start() -> None:
    with pytest.raises(SystemExit):
        stop_if_unsafe(arbiter(), [Problem("gateway.yaml", 1, "", "x")], out=io.StringIO())


def test_the_scheme_of_the_public_url_is_judged() -> None:
    stop_if_unsafe(arbiter(bind="0.0.0.0:80"), public_scheme="https", out=io.StringIO())

    with pytest.raises(SystemExit):
        stop_if_unsafe(arbiter(bind="0.0.0.0:80"), public_scheme="http", out=io.StringIO())


def test_a_refused_start_leaves_no_pid_file() -> None:
    server = arbiter(reload=True)
    server.pidfile = Pidfile()

    with pytest.raises(SystemExit):
        stop_if_unsafe(server, out=io.StringIO())

    assert not server.pidfile.there


def test_a_refused_reload_ends_the_workers_in_an_orderly_way() -> None:
    server = arbiter(reload=True)
    server.WORKERS = {7: object()}

    with pytest.raises(HaltServer) as halted:
        stop_if_unsafe(server, out=io.StringIO())

    assert halted.value.exit_status == 2


# --- Real processes --------------------------------------------------------------------------


@pytest.mark.server
@pytest.mark.parametrize(
    ("args", "setting"),
    [
        pytest.param(["--header-map", "drop"], "header_map", id="header_map"),
        pytest.param(["--http-parser", "auto"], "http_parser", id="C parser"),
        pytest.param(["--forwarded-allow-ips", "*"], "forwarded_allow_ips", id="trusts all"),
        pytest.param(["--forwarder-headers", "REMOTE_USER"], "forwarder_headers", id="forwarder"),
        pytest.param(["--logger-class", "gunicorn.glogging.Logger"], "logger_class", id="logger"),
        pytest.param(["--preload"], "preload_app", id="preload"),
        pytest.param(["--bind", "unix:gate.sock", "--umask", "0"], "umask", id="open socket"),
    ],
)
def test_a_real_server_refuses_an_unsafe_setting(
    tmp_path: Path, args: list[str], setting: str
) -> None:
    with (
        pytest.raises(ServerDied) as died,
        Gunicorn(APP, "-k", "gthread", *args, cwd=tmp_path),
    ):
        pytest.fail("it started")

    assert died.value.status == 2
    assert f"gunicorn: {setting}: " in died.value.log
    assert "Traceback" not in died.value.log
    assert "Listening" not in died.value.log


@pytest.mark.server
def test_a_real_server_judges_settings_from_its_environment(tmp_path: Path) -> None:
    env = {"GUNICORN_CMD_ARGS": "--reload --proxy-allow-from *"}

    with pytest.raises(ServerDied) as died, Gunicorn(APP, env=env, cwd=tmp_path):
        pytest.fail("it started")

    assert died.value.status == 2
    assert "gunicorn: reload: " in died.value.log
    assert "gunicorn: proxy_allow_ips: " in died.value.log


@pytest.mark.server
def test_a_real_server_that_becomes_unsafe_by_a_reload_stops(tmp_path: Path) -> None:
    conf = tmp_path / "gunicorn.conf.py"
    conf.write_text("from ssogate.worker.gunicorn_conf import *\n")

    with Gunicorn(APP, "-k", "gthread", conf=conf, cwd=tmp_path) as server:
        conf.write_text("from ssogate.worker.gunicorn_conf import *\nheader_map = 'drop'\n")
        server.send_signal(signal.SIGHUP)

        assert server.wait(20) == 2
        assert "gunicorn: header_map: " in server.log()


@pytest.mark.server
def test_a_real_server_survives_a_reload_of_safe_settings(tmp_path: Path) -> None:
    with Gunicorn(APP, "-k", "gthread", conf=CONF, cwd=tmp_path) as server:
        server.send_signal(signal.SIGHUP)
        server.until("Worker exiting")

        with pytest.raises(TimeoutError):
            server.until("Shutting down", timeout=1)
