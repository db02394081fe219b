from __future__ import annotations

from pathlib import Path

import pytest

from ssogate.storage import SQLiteStore
from tests.provider.making import Panel
from tests.storage.making import Hands


@pytest.fixture
def panel(tmp_path: Path) -> Panel:
    return Panel(SQLiteStore(tmp_path / "gate.db", clock=Hands()))
