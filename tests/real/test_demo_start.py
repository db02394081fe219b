"""The demonstration's starter: what `make run` makes, starts, and says when it cannot."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from demo import run

from tests.servers import PROJECT, Process, ask, request

STARTER = PROJECT / "examples/demo/run.py"


def test_the_secret_is_new_private_and_kept(tmp_path: Path) -> None:
    demo = run.Demo(8000, tmp_path / "var")

    run.prepare(demo)
    secret = demo.secret.read_text()
    run.prepare(demo)

    assert len(secret) >= 32
    assert demo.secret.read_text() == secret
    assert stat.S_IMODE(demo.secret.stat().st_mode) == 0o600
    assert stat.S_IMODE(demo.var.stat().st_mode) == 0o700


def test_a_moved_demonstration_has_a_gateway_yaml_that_follows(tmp_path: Path) -> None:
    demo = run.Demo(9300, tmp_path / "var")
    run.prepare(demo)

    folder = run.gate_folder(demo)

    text = (folder / "gateway.yaml").read_text("utf-8")
    assert "localhost:9300" in text
    assert "127.0.0.1:9301" in text
    assert "127.0.0.1:9302" in text
    assert not re.search(r":800\d", text)
    assert (folder / "var/link-secret").read_text() == demo.secret.read_text()
    assert list((folder / "policies").glob("*.yaml"))


def test_the_usual_demonstration_serves_the_project_s_own_file() -> None:
    assert run.gate_folder(run.Demo(run.PORT, PROJECT / "var")) == PROJECT


def test_a_taken_port_is_told_with_a_way_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        environ = {"SSOGATE_DEMO_PORT": str(port), "SSOGATE_DEMO_VAR": str(tmp_path / "var")}
        started = subprocess.run(
            [sys.executable, str(STARTER)],
            env={**os.environ, **environ},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    assert started.returncode == 1
    assert f"Port {port} is taken" in started.stderr
    assert "SSOGATE_DEMO_PORT=" in started.stderr
    assert "Traceback" not in started.stderr


def three_free_ports() -> int:
    """The first of three ports in a row that nobody listens on."""
    for port in range(20000, 30000, 10):
        with suppress(OSError), ExitStack() as held:
            for offset in range(3):
                held.enter_context(socket.create_server(("127.0.0.1", port + offset)))
            return port
    raise AssertionError("no three free ports")


@pytest.mark.server
def test_one_command_starts_it_all_and_ctrl_c_ends_it(tmp_path: Path) -> None:
    port = three_free_ports()
    environ = {"SSOGATE_DEMO_PORT": str(port), "SSOGATE_DEMO_VAR": str(tmp_path / "var")}

    with Process([sys.executable, str(STARTER)], env=environ) as demo:
        demo.until("Ctrl-C", timeout=60)
        front = ask(port, request(host=f"localhost:{port}"))
        members = ask(port, request("/members/", "Accept: text/html", host=f"localhost:{port}"))
        demo.send_signal(signal.SIGINT)
        ended = demo.wait(20)

    assert ended == 0
    assert (front.status, "Rowing on Lake Ardwen" in front.text) == (200, True)
    assert members.status == 303
    assert (members.header("Location") or "").startswith(f"http://127.0.0.1:{port + 2}/sso?")
    for offset in range(3):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port + offset), 1)
