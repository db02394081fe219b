"""A gate of one worker, for all tests of what it relays."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gate import RunningGate
from tests.servers import RawClient
from tests.worker.stage import Page, Pages, Write, numbers, standing


@pytest.fixture(scope="session")
def upstream() -> Iterator[Pages]:
    with Pages() as pages:
        yield pages


@pytest.fixture(scope="session")
def gate(upstream: Pages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGate]:
    # Failing servers are what many tests here are about; none may be left alone for it.
    about = {"max_failures": 10_000}
    with standing(tmp_path_factory.mktemp("lane") / "gate", upstream.url, about=about) as running:
        yield running


@pytest.fixture(scope="session")
def cookie(gate: RunningGate) -> str:
    return gate.sign_in()


@pytest.fixture
def page(upstream: Pages) -> Write:
    """Write a page; give its path."""

    def write(answer: Page) -> str:
        path = f"/page{next(numbers)}"
        upstream.at[path] = answer
        return path

    return write


@pytest.fixture
def client(gate: RunningGate) -> Iterator[RawClient]:
    with RawClient(gate.port, timeout=10) as connected:
        yield connected
