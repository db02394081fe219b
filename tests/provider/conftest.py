from __future__ import annotations

from pathlib import Path

import pytest

from ssogate.storage import SQLiteStore
from tests.provider.making import Panel
from tests.provider.making_openid import Provided
from tests.provider.making_tokens import Programs
from tests.storage.making import Hands


@pytest.fixture
def panel(tmp_path: Path) -> Panel:
    return Panel(SQLiteStore(tmp_path / "gate.db", clock=Hands()))


@pytest.fixture
def provided(tmp_path: Path) -> Provided:
    return Provided(SQLiteStore(tmp_path / "gate.db", clock=Hands()))


@pytest.fixture
def store(tmp_path: Path) -> SQLiteStore:
    return SQLiteStore(tmp_path / "gate.db", clock=Hands())


@pytest.fixture
def programs(store: SQLiteStore) -> Programs:
    return Programs(store)
