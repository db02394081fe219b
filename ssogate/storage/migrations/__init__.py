"""From any earlier release's tables to this one's, by Alembic, in one transaction.

Alembic is imported only when there is something to do: a worker that starts does not wait for it.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from ssogate.errors import StoreFailure

HEAD = "0005"
"""The newest revision in `versions`."""

VERSION_TABLE = "ssogate_version"
"""Not Alembic's usual name: another program's must not be taken for ours."""


def is_current(connection: Connection) -> bool:
    """Whether the tables are this release's.

    Raises `StoreFailure` for those of a newer one.
    """
    if not inspect(connection).has_table(VERSION_TABLE):
        return False
    found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar() or ""  # noqa: S608
    if found > HEAD:
        raise StoreFailure(f"written by a newer ssogate (schema {found}, this one knows {HEAD})")
    return found == HEAD


def migrate(connection: Connection) -> None:
    """Bring the tables up to date, inside the transaction that the connection is in."""
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    if is_current(connection):  # somebody else was quicker
        return
    config = Config(attributes={"connection": connection, "version_table": VERSION_TABLE})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    command.upgrade(config, HEAD)
