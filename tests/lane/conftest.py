"""One gate for all tests of the lane that change nothing, and new ones for those that do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lane.making import Gatehouse, gatehouse


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gatehouse]:
    """A gate that no test may change; its lane remembers what the tests before have asked."""
    with gatehouse(tmp_path_factory.mktemp("lane") / "gate") as opened:
        yield opened


@pytest.fixture
def changing(tmp_path: Path) -> Iterator[Gatehouse]:
    with gatehouse(tmp_path / "gate") as opened:
        yield opened
