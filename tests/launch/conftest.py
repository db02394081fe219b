from __future__ import annotations

from pathlib import Path

import pytest

from ssogate.storage import SQLiteStore
from tests.launch.fleet import Fleet
from tests.storage.making import Hands


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(SQLiteStore(tmp_path / "gate.db", clock=Hands()))
