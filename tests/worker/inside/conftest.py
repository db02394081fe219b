"""A gate whose worker runs in a thread of the tests."""

from __future__ import annotations

import logging
import os
import selectors
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from gunicorn.config import Config

from ssogate.app import gateway
from ssogate.worker import GateWorker
from ssogate.worker.gate_worker import VERIFY_SECONDS
from ssogate.worker.logger import GateLogger
from ssogate.worker.loop import Loop
from ssogate.worker.rota import Rota
from ssogate.worker.safe import SAFE
from tests.gate import RunningGate, Site, site
from tests.worker.stage import Pages


class Quiet(GateLogger):
    """Keeps lines of the access log, and leaves this process's loggers as they are."""

    def setup(self, cfg: Config) -> None:
        self.cfg, self.lines = cfg, list[str]()
        self.error_log = logging.getLogger("tests.inside")
        self.access_log = logging.getLogger("tests.inside.access")

    @property
    def access_log_enabled(self) -> bool:
        return True

    def access_lines(self, lines: Any) -> None:
        self.lines += lines


class Loaded:
    def __init__(self, config: Path) -> None:
        self.config = config

    def wsgi(self) -> Any:
        return gateway(self.config)


class InsideGate:
    """As much of a `RunningGate` as the tests use."""

    def __init__(self, written: Site, listener: socket.socket) -> None:
        self.port = listener.getsockname()[1]
        cfg = Config()
        for name, value in {**SAFE, "threads": 2, "keepalive": 30, "graceful_timeout": 3}.items():
            cfg.set(name, value)
        app, log = Loaded(written.config), Quiet(cfg)
        self.worker = GateWorker(1, os.getppid(), [listener], app, 30, cfg, log)

    ask = RunningGate.ask
    sign_in = RunningGate.sign_in

    def run(self) -> None:
        """What `init_process` does, but for what changes the whole process."""
        worker = self.worker
        worker.loop, worker.poller = Loop(), selectors.DefaultSelector()
        worker._rota = Rota(worker._visitors, VERIFY_SECONDS, worker.loop.now)
        worker.tpool, worker._relays = worker.get_thread_pool(), worker.get_thread_pool()
        worker.cpu = None
        worker.method_queue.init()
        worker.load_wsgi()
        worker.run()

    def stop(self) -> None:
        self.worker.handle_exit(None, None)


@contextmanager
def inside(folder: Path, upstream: str, about: dict[str, Any]) -> Iterator[InsideGate]:
    app = {"url": upstream, "read_timeout": "3s", **about}
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    logger = logging.getLogger("ssogate")
    level = logger.level
    gate = InsideGate(site(folder, upstream, upstreams={"app": app}), listener)
    thread = Thread(target=gate.run)
    thread.start()
    try:
        yield gate
    finally:
        gate.stop()
        thread.join(20)
        logger.setLevel(level)
    assert not thread.is_alive()


@pytest.fixture(scope="session")
def gate(upstream: Pages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InsideGate]:
    folder = tmp_path_factory.mktemp("inside") / "gate"
    with inside(folder, upstream.url, {"max_failures": 10_000}) as running:
        yield running


@pytest.fixture(scope="session")
def cookie(gate: InsideGate) -> str:
    return gate.sign_in()  # type: ignore[misc]
