"""One running gate for all attacks of a process: what one of them leaves, the next one meets."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest

from tests.attack.house import House, house_at
from tests.attack.office import Office, office_at
from tests.attack.stage import GTHREAD, HOST, LENIENT, POLICY, SECRETS, Stage, Told, settings
from tests.gate import RunningGate, site
from tests.servers import Answer, Gunicorn, ask, request


@pytest.fixture(scope="session")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    """An upstream that would believe anything."""
    conf = tmp_path_factory.mktemp("echo") / "lenient.py"
    conf.write_text(LENIENT)
    with Gunicorn("tests.echo:app", conf=conf) as server:
        yield server


@dataclass
class Surroundings:
    """What stands behind the gates, whatever their workers are."""

    echo: Gunicorn
    recorder: Told
    hostile: Told
    settings: dict[str, Any]


@pytest.fixture(scope="session")
def surroundings(echo: Gunicorn) -> Iterator[Surroundings]:
    with Told() as recorder, Told() as hostile, closing(socket.socket()) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)  # the kernel accepts, and nobody ever answers
        with closing(socket.socket()) as unused:
            unused.bind(("127.0.0.1", 0))  # bound and not listening: every connection is refused
            slow, down = (f"http://127.0.0.1:{s.getsockname()[1]}" for s in (silent, unused))
            made = settings(echo.url("").rstrip("/"), recorder.url, hostile.url, slow, down)
            yield Surroundings(echo, recorder, hostile, made)


def _stage(
    surroundings: Surroundings, factory: pytest.TempPathFactory, *args: str
) -> Iterator[Stage]:
    folder = factory.mktemp("attacked")
    written = site(folder, "", policy=POLICY, **surroundings.settings)
    with RunningGate(written, *args, env=SECRETS) as gate:
        yield Stage(gate, surroundings.echo, surroundings.recorder, surroundings.hostile)


@pytest.fixture(scope="session")
def gthread_stage(
    surroundings: Surroundings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    yield from _stage(surroundings, tmp_path_factory, *GTHREAD)


@pytest.fixture(scope="session")
def sync_stage(
    surroundings: Surroundings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    yield from _stage(surroundings, tmp_path_factory, "--worker-class", "sync", "--threads", "1")


@pytest.fixture
def stage(gthread_stage: Stage) -> Stage:
    """The gate under gthread, with nothing seen yet."""
    return fresh(gthread_stage)


@pytest.fixture(params=["gthread", "sync"])
def any_stage(request: pytest.FixtureRequest) -> Stage:
    """The gate under each kind of worker."""
    found: Stage = request.getfixturevalue(f"{request.param}_stage")
    return fresh(found)


def fresh(stage: Stage) -> Stage:
    stage.seen()
    stage.recorder.seen()
    stage.hostile.seen()
    return stage


@dataclass
class Wrap:
    """The gate around an app in the same process."""

    server: Gunicorn

    def ask(self, target: str | bytes, *lines: str | bytes, **how: Any) -> Answer:
        return ask(self.server.port, request(target, *lines, host=how.pop("host", HOST), **how))

    def seen(self) -> list[dict[str, Any]]:
        """What reached the app since the last time: its whole environ, as far as it is text."""
        found: list[dict[str, Any]] = json.loads(self.ask("/_seen").body)
        return found


@pytest.fixture(scope="session")
def wrap_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wrap]:
    folder = tmp_path_factory.mktemp("wrap")
    more: dict[str, Any] = {"public_url": f"https://{HOST}", "hosts": ["raw.example"]}
    written = site(folder, "http://127.0.0.1:9", policy=POLICY, **more)
    app = "tests.attack.wrapped:gate()"
    with Gunicorn(app, *GTHREAD, cwd=written.folder) as server:
        yield Wrap(server)


@pytest.fixture
def wrap(wrap_stage: Wrap) -> Wrap:
    wrap_stage.seen()
    return wrap_stage


@pytest.fixture(scope="session")
def house(echo: Gunicorn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The gate of people with passwords."""
    with house_at(tmp_path_factory.mktemp("house") / "gate", echo.url("").rstrip("/")) as made:
        yield made


@pytest.fixture(scope="session")
def office(echo: Gunicorn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """The gate of programs."""
    with office_at(tmp_path_factory.mktemp("office"), echo.url("").rstrip("/")) as made:
        yield made
