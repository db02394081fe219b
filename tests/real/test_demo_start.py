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
from click.testing import CliRunner
from demo import run

from ssogate.cli import main
from ssogate.gate import open_gate
from ssogate.model import User
from ssogate.settings import load
from tests.servers import PROJECT, Process, ask, request

STARTER = PROJECT / "examples/demo/run.py"


def test_secrets_are_new_private_and_kept(tmp_path: Path) -> None:
    demo = run.Demo(8000, tmp_path / "var")

    run.prepare(demo)
    files = (demo.secret, demo.sealing_key)
    secrets = [file.read_text() for file in files]
    run.prepare(demo)

    assert min(map(len, secrets)) >= 32
    assert len(set(secrets)) == 2
    assert [file.read_text() for file in files] == secrets
    assert {stat.S_IMODE(file.stat().st_mode) for file in (*files, demo.store)} == {0o600}
    assert stat.S_IMODE(demo.var.stat().st_mode) == 0o700


def people(demo: run.Demo) -> dict[str, User]:
    """Who is in the demonstration's store, by name."""
    gate = open_gate(load(run.gate_folder(demo) / "gateway.yaml"))
    found = {user.identity.username: user for user in gate.store.users.listed()}
    gate.store.close()
    return found


def test_a_new_gate_is_given_people_and_keeps_what_becomes_of_them(tmp_path: Path) -> None:
    demo = run.Demo(8000, tmp_path / "var")
    run.prepare(demo)
    assert {"ann", "bob", "hugo"} <= people(demo).keys()
    config = str(run.gate_folder(demo) / "gateway.yaml")
    done = CliRunner().invoke(main, ["user", "deactivate", "ann", "--config", config])
    assert done.exit_code == 0, done.output

    run.prepare(demo)

    assert not people(demo)["ann"].active


def test_people_whose_password_all_know_go_into_no_other_gate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSOGATE_CONFIG", str(tmp_path / "another/gateway.yaml"))
    demo = run.Demo(8000, tmp_path / "var")

    run.prepare(demo)
    commands = [server.environ for server in run.servers(demo) if server.name == "gate"]

    assert "ann" in people(demo)
    assert [environ["SSOGATE_CONFIG"] for environ in commands] == ["gateway.yaml"]


def test_a_directory_that_cannot_be_loaded_says_why(tmp_path: Path) -> None:
    demo = run.Demo(8000, tmp_path / "var")
    demo.var.mkdir()
    demo.store.write_text("no database")
    demo.store.chmod(0o600)

    with pytest.raises(SystemExit, match="could not be loaded") as told:
        run.prepare(demo)

    assert "gateway.yaml" in str(told.value)
    assert "Traceback" not in str(told.value)


def test_a_moved_demonstration_has_a_gateway_yaml_that_follows(tmp_path: Path) -> None:
    demo = run.Demo(9300, tmp_path / "var")
    run.prepare(demo)

    folder = run.gate_folder(demo)

    text = (folder / "gateway.yaml").read_text("utf-8")
    assert "localhost:9300" in text
    assert "127.0.0.1:9301" in text
    assert "127.0.0.1:9302" in text
    assert "port: 9303" in text
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


def four_free_ports() -> int:
    """The first of four ports in a row that nobody listens on."""
    for port in range(20000, 30000, 10):
        with suppress(OSError), ExitStack() as held:
            for offset in range(4):
                held.enter_context(socket.create_server(("127.0.0.1", port + offset)))
            return port
    raise AssertionError("no four free ports")


@pytest.mark.server
def test_one_command_starts_it_all_and_ctrl_c_ends_it(tmp_path: Path) -> None:
    port = four_free_ports()
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
    assert members.header("Location") == "/_sso/sign-in?return_to=%2Fmembers%2F"
    for offset in range(3):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port + offset), 1)
