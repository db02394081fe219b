from __future__ import annotations

from pathlib import Path

import pytest

from ssogate.storage import SQLiteStore
from tests.storage.making import Hands


@pytest.fixture
def store(tmp_path: Path) -> SQLiteStore:
    return SQLiteStore(tmp_path / "gate.db", clock=Hands())
