"""The tables that migrations make are those that the code works with."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import make_url

from ssogate.storage import PostgreSQLStore, SQLiteStore, migrations, schema
from ssogate.storage.store import SQLStore
from tests.databases import PostgreSQL
from tests.storage.making import Hands


def differences(store: SQLStore) -> list[object]:
    options = {"version_table": migrations.VERSION_TABLE, "compare_type": True}
    with store.database.connected() as connection:
        context = MigrationContext.configure(connection, opts=options)
        found: list[object] = compare_metadata(context, schema.metadata)
    return found


def test_on_sqlite(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "gate.db", clock=Hands())

    assert differences(store) == []


@pytest.mark.server
def test_on_postgresql(postgresql: PostgreSQL) -> None:
    store = PostgreSQLStore(make_url(postgresql.fresh()), clock=Hands())

    assert differences(store) == []
    store.close()


def test_the_newest_migration_is_the_one_that_the_code_expects() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("path_separator", "newline")

    assert ScriptDirectory.from_config(config).get_heads() == [migrations.HEAD]
