"""The app's people, found by name or looked at again by id.

The app is not trusted to answer about whom we asked for: databases compare names in ways of their
own (MySQL finds `jöe` for `joe`), so whoever comes back must bear the name in our one form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ssogate.directory.legacy.database import Database, Found, Unreadable, is_unreadable
from ssogate.directory.legacy.memory import Answers
from ssogate.directory.legacy.person import (
    OPTIONAL,
    REQUIRED,
    LegacyUser,
    as_text,
    is_called,
    person,
)
from ssogate.directory.legacy.settings import PARAMETERS, LegacySettings
from ssogate.errors import StoreFailure
from ssogate.http.log import log
from ssogate.model import Clock
from ssogate.names import canonical_name, group_name

MAX_TOLD = 100  # unusable groups that a process complains of

# Whom nobody is: where ids are numbers, and where they are UUIDs.
_NO_IDS = ("-1", "00000000-0000-0000-0000-000000000000")
_NO_NAME = "nobody has this name"

_Judge = Callable[[Found], Iterable[str]]


class LegacySource:
    """`find` and `refreshed` raise `StoreFailure` when the database does not answer, or not as
    agreed; its text holds neither what was asked nor a password.

    `policy_groups` are the groups that policies name; only they count without `groups_allowed`.
    """

    def __init__(
        self,
        settings: LegacySettings,
        *,
        base: Path,
        clock: Clock,
        policy_groups: frozenset[str] = frozenset(),
    ) -> None:
        allowed = settings.groups_allowed
        self._settings = settings
        self._database = Database(settings, base)
        self._groups_allowed = policy_groups if allowed is None else frozenset(allowed)
        self._clock = clock
        self._answers = Answers(settings.refresh, clock)
        self._told: set[str] = set()

    def find(self, name: str) -> LegacyUser | None:
        """Look somebody up for a sign-in: by user name, or by e-mail where the query does so."""
        try:
            canonical_name(name)
        except ValueError:
            return None  # nobody has such a name, whatever the app would make of it
        now = self._clock()
        found = self._named(name)
        if found is None:
            with suppress(StoreFailure):  # as for somebody: the time must not tell who exists
                self._groups(_NO_IDS[0])
            return None
        found = replace(found, groups=self._groups(found.external_id))
        self._answers.keep(found.external_id, found, now)
        return found

    def refreshed(self, external_id: str, username: str) -> LegacyUser | None:
        """Give somebody who signed in before as the app has them now, or had them at most
        `refresh` seconds ago; without the password."""
        kept = self._answers.recall(external_id)
        if kept is not None:
            return kept.user
        now = self._clock()
        by_id = self._settings.by_id
        found = self._named(username) if by_id is None else self._person(by_id, id=external_id)
        if found is not None and found.external_id == external_id:
            found = replace(found, groups=self._groups(external_id))
        else:
            found = None  # gone, or the name is somebody else's by now
        return self._answers.keep(external_id, found, now)

    def check(self) -> list[str]:
        """Connect, and ask every query about nobody: what is wrong, in words for the operator."""
        try:
            self._database.ask("SELECT 1")
        except Exception as error:  # as in `Database.read`
            return [f"cannot connect: {self._database.words(error)}"]
        problems = self._judged("user", _people, _NO_NAME)
        problems += self._judged("by_id", _people, *_NO_IDS)
        return problems + self._judged("groups", _one_column, *_NO_IDS)

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._database.close()

    def _named(self, name: str) -> LegacyUser | None:
        try:
            found = self._person(self._settings.user, name=name)
        except Unreadable:
            if name.isascii():  # every database can read that: the query must be wrong
                raise
            return None  # the app cannot even write this name
        return found if found and is_called(found, name) else None

    def _person(self, sql: str, **asked: str) -> LegacyUser | None:
        """The one person whom a query finds, without groups."""
        columns, rows = self._database.read(sql, **asked)
        if missing := REQUIRED.difference(columns):
            raise StoreFailure(f"the legacy source gives no {', '.join(sorted(missing))}")
        if len(rows) != 1:
            if rows:
                log.warning("legacy person refused", reason="the query finds more than one person")
            return None
        row = dict(zip(columns, rows[0], strict=True))
        try:
            return person(row)
        except ValueError as error:
            log.warning("legacy person refused", id=str(row["id"])[:64], reason=str(error))
            return None

    def _groups(self, external_id: str) -> frozenset[str]:
        if self._settings.groups is None:
            return frozenset()
        rows = self._database.read(self._settings.groups, id=external_id).rows
        return self._groups_allowed & {self._group(row[0]) for row in rows}

    def _group(self, value: object) -> str:
        """Give a group's name, or nothing for one that is none, and say so once."""
        try:
            return group_name(as_text(value))
        except ValueError as error:
            shown = repr(value)[:64]
            if shown not in self._told and len(self._told) < MAX_TOLD:
                self._told.add(shown)
                log.warning("legacy group ignored", group=shown, reason=str(error))
            return ""

    def _judged(self, query: str, judge: _Judge, *nobodies: str) -> list[str]:
        """Ask a query about each of `nobodies` until the database can read one."""
        sql, parameter = getattr(self._settings, query), PARAMETERS[query]
        said: list[str] = []
        for nobody in nobodies if sql else ():
            try:
                return [
                    f"{query}: {it}" for it in judge(self._database.ask(sql, **{parameter: nobody}))
                ]
            except Exception as error:  # as in `Database.read`
                said = [f"{query}: {self._database.words(error)}"]
                if not is_unreadable(error):
                    break
        return said


def _people(found: Found) -> Iterator[str]:
    columns = frozenset(found.columns)
    for column in sorted(REQUIRED - columns):
        yield f"the query gives no column `{column}`"
    for column in sorted(columns - REQUIRED - OPTIONAL):
        yield f"nothing is known of a column `{column}`"
    if found.rows:
        yield "the query finds somebody for a name or an id that nobody has"


def _one_column(found: Found) -> Iterator[str]:
    if len(found.columns) != 1:
        yield "the query must give one column"
