"""Where the app keeps its people, and the queries that find them."""

from __future__ import annotations

import re

from pydantic import ValidationInfo, field_validator, model_validator
from sqlalchemy import text

from ssogate.config import Duration, Secret, Settings
from ssogate.config.values import Name
from ssogate.names import group_name
from ssogate.storage.url import database_url

MAX_REFRESH = 3600  # seconds; whom the app shuts out stays signed in here for as long


PARAMETERS = {"user": "name", "groups": "id", "by_id": "id"}
_QUOTED = re.compile(r"'[^']*'")
_READS = re.compile(r"\s*(SELECT|WITH)\b", re.IGNORECASE)
_WRITES = re.compile(r"\b(INSERT|UPDATE|DELETE|MERGE|INTO)\b", re.IGNORECASE)


class LegacySettings(Settings):
    """The gated app's own list of people."""

    name: Name
    """A short name: it stands in logs and in people's lists of sessions, and owns the users."""
    url: str
    """The database: `mysql://user@host/db`, `postgresql://user@host/db`, or `sqlite:///path`,
    which counts from gateway.yaml. What follows a `?` goes to the driver, such as
    `sslmode=verify-full` for PostgreSQL and `ssl_ca=/path` for MySQL."""
    password: Secret | None = None
    """The database user's password. Let that user do nothing but SELECT."""
    user: str
    """A SELECT that finds a person by what was typed, `:name`. It gives the columns `id`,
    `username` and `password` (the stored hash), and may give `name`, `email` and `active`."""
    groups: str | None = None
    """A SELECT that gives the names of a person's groups, in one column, by `:id`."""
    by_id: str | None = None
    """As `user`, but by `:id`: asked now and then whether somebody who is signed in still may be.
    If not given, `user` is asked with the user name."""
    groups_allowed: tuple[str, ...] | None = None
    """Groups that the app may give; if not given, the ones that policies name."""
    refresh: Duration = 60.0
    """How long an answer about somebody who is signed in is remembered."""
    timeout: Duration = 5.0
    """How long to wait for a connection, and for an answer."""

    @field_validator("url")
    @classmethod
    def _of_a_known_kind(cls, value: str) -> str:
        return database_url(value)

    @field_validator("user", "groups", "by_id")
    @classmethod
    def _one_select(cls, sql: str | None, info: ValidationInfo) -> str | None:
        """Tell slips early. That nothing is written is the database's duty, in `database.py`."""
        if sql is None:
            return None
        bare = _QUOTED.sub("''", sql)
        if ";" in bare or "--" in bare or "/*" in bare:
            raise ValueError("write one statement, without a semicolon and without comments")
        if not _READS.match(bare) or _WRITES.search(bare):
            raise ValueError("write a SELECT, or WITH … SELECT: nothing that writes")
        name = PARAMETERS[info.field_name or ""]
        if set(text(sql).compile().params) != {name}:
            raise ValueError(f"the query must use :{name}, and no other parameter")
        return sql

    @field_validator("groups_allowed")
    @classmethod
    def _group_names(cls, groups: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if groups is None else tuple(map(group_name, groups))

    @model_validator(mode="after")
    def _sensible(self) -> LegacySettings:
        if self.refresh > MAX_REFRESH:
            raise ValueError("refresh: write at most 1h: whom the app shuts out stays in so long")
        if not 0.1 <= self.timeout <= 60:
            raise ValueError("timeout: write 100ms to 60s")
        return self
