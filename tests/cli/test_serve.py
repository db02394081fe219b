from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.cli.conftest import OTHER_SECRET, SECRET, Site
from tests.servers import PROJECT, Process, ask, request

SERVE = (sys.executable, "-m", "ssogate", "serve")
SECRETS = {"MEMBERS_SECRET": SECRET, "PARTNERS_SECRET": OTHER_SECRET}
LISTENING = r"Listening at: \S*?:(\d+) "

pytestmark = pytest.mark.server


def _serving(site: Site, *options: str) -> Process:
    command = [*SERVE, "--bind", "127.0.0.1:0", *options]
    return Process(command, cwd=site.folder, env=SECRETS)


def test_serves_and_stops(site: Site) -> None:
    with _serving(site) as server:
        port = int(server.until(LISTENING)[1])
        answer = ask(port, request("/members/", host="app.example"))
        server.send_signal(signal.SIGTERM)
        status = server.wait()

    assert (answer.status, answer.header("X-SSOGate-Error")) == (401, "sign_in_required")
    assert status == 0


def test_the_configuration_beside_the_gates_counts(site: Site) -> None:
    conf = "from ssogate.worker.gunicorn_conf import *\nproc_name = 'club'\nthreads = 3\n"
    site.write("gunicorn.conf.py", conf + "worker_class = 'gthread'\n")

    with _serving(site) as server:
        server.until(LISTENING)
        server.until("Using worker: gthread")


def test_options_are_gunicorns(site: Site) -> None:
    with _serving(site, "--workers", "2", "--worker-class", "gthread") as server:
        server.until("Using worker: gthread")
        server.until(r"(?s)Booting worker.*Booting worker")


@pytest.mark.parametrize(
    ("options", "line"),
    [
        pytest.param(
            ["--header-map", "dangerous"],
            "gunicorn: header_map: a header with an underscore can pass: write 'refuse'",
            id="on the command line",
        ),
        pytest.param(["--preload"], "gunicorn: preload_app: ", id="another"),
    ],
)
def test_unsafe_options_stop_the_start(site: Site, options: list[str], line: str) -> None:
    with _serving(site, *options) as server:
        status = server.wait(15)

    assert status == 2
    assert line in server.log()
    assert "Traceback" not in server.log()


def test_a_mistake_in_the_configuration_stops_the_start(site: Site) -> None:
    site.edit("  - {path: /, upstream: club}", "  - {path: /, upstream: clubb}")

    done = subprocess.run(
        SERVE,
        cwd=site.folder,
        capture_output=True,
        text=True,
        env={**SECRETS, "PYTHONPATH": str(PROJECT)},
        check=False,
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "gateway.yaml:16: routes.0.upstream: there is no upstream 'clubb'; did you mean 'club'?",
        "1 problem",
    ]


def test_the_configuration_is_handed_on(site: Site) -> None:
    elsewhere = site.folder / "elsewhere"
    elsewhere.mkdir()
    command = [*SERVE, "--bind", "127.0.0.1:0", "--config", str(site.folder / "gateway.yaml")]

    with Process(command, cwd=elsewhere, env=SECRETS) as server:
        port = int(server.until(LISTENING)[1])
        answer = ask(port, request("/nowhere", host="app.example"))

    assert answer.status == 403
