"""How a database is named in YAML: its URL, and apart from it the password."""

from __future__ import annotations

from collections.abc import Collection
from importlib.util import find_spec
from typing import NamedTuple

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError


class Driver(NamedTuple):
    """What speaks to a kind of database: SQLAlchemy's name, its module, and who brings it."""

    name: str
    module: str
    extra: str


DRIVERS = {
    "mysql": Driver("mysql+pymysql", "pymysql", "ssogate[mysql]"),
    "mariadb": Driver("mysql+pymysql", "pymysql", "ssogate[mysql]"),
    "postgresql": Driver("postgresql+psycopg", "psycopg", "ssogate[postgres]"),
    "sqlite": Driver("sqlite", "sqlite3", "Python itself"),
}
_EXAMPLES = {"mysql": "mysql://user@host/db", "sqlite": "sqlite:///path"}
_EXAMPLES["postgresql"] = "postgresql://user@host/db"


def database_url(text: str, kinds: Collection[str] = tuple(DRIVERS)) -> str:
    """Give `text` back if it names a database of one of `kinds`, without a password.

    Raises `ValueError`, in words, also for a driver that is not installed.
    """
    how = f"write {' or '.join(_EXAMPLES[kind] for kind in kinds if kind in _EXAMPLES)}"
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError(how) from None
    if url.drivername not in kinds or not url.database:
        raise ValueError(how)
    if url.password is not None or any("passw" in name.lower() for name in url.query):
        raise ValueError("the password must not stand here: write password: {file: PATH}")
    driver = DRIVERS[url.drivername]
    if find_spec(driver.module) is None:
        raise ValueError(f"{driver.module} is not installed: pip install '{driver.extra}'")
    return text
