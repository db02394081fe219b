"""What was read, on disk until it is stored: memory stays flat, and no file is read twice.

A temporary SQLite database without a name: it is gone when it is closed, and nobody else can open
it. Rows wait there in the order of their reading, and keys are claimed there, so that who comes
second learns where the first stands.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from ssogate.directory.imports.readers import Advance, Row, Source, Unreadable, rows
from ssogate.directory.imports.rows import KINDS, kept, parsed, restored
from ssogate.errors import Problem
from ssogate.names import canonical_name

CHUNK = 1000  # rows that are compared and stored at once: what the store takes
SHOWN = 100  # problems that are kept; the others are counted

_TABLES = """
CREATE TABLE rows (
    number INTEGER PRIMARY KEY, kind TEXT, id TEXT, file TEXT, line INTEGER, fields TEXT,
    waiting INTEGER
) STRICT;
CREATE INDEX rows_waiting ON rows (kind, number) WHERE waiting;
CREATE TABLE claims (
    what TEXT, key TEXT, row INTEGER, PRIMARY KEY (what, key)
) STRICT, WITHOUT ROWID;
"""


class Refused(Exception):
    """Something is wrong with the data; nothing was written. `problems` are the first of them."""

    def __init__(self, problems: Iterable[Problem], count: int) -> None:
        self.problems, self.count = sorted(problems), count
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(slots=True)
class Problems:
    """What is wrong, as far as a person would read it."""

    first: list[Problem] = field(default_factory=list)
    count: int = 0

    def add(self, problem: Problem) -> None:
        self.count += 1
        if len(self.first) < SHOWN:
            self.first.append(problem)

    def check(self) -> None:
        """Raise `Refused` if there are any."""
        if self.count:
            raise Refused(self.first, self.count)


@dataclass(frozen=True, slots=True)
class Staged:
    """A row that can be stored, if the rest of the directory agrees."""

    number: int
    row: Row
    """With its fields parsed."""

    @property
    def fields(self) -> Mapping[str, Any]:
        return self.row.fields

    @property
    def id(self) -> str:
        found: str = self.fields["id"]
        return found


class Staging:
    """The rows of one import. To be closed."""

    def __init__(self) -> None:
        self.problems = Problems()
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(_TABLES)
        self._database.execute("PRAGMA journal_mode = OFF")  # it is thrown away on any failure
        self._database.execute("BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def read(self, sources: Iterable[Source], advance: Advance) -> None:
        """Read all files, and check what each row says by itself.

        Raises `Refused` if a file could not be read to its end: what is missing there cannot be
        told from what is wrong.
        """
        whole = True
        for source in sources:
            try:
                for found in rows(source, advance):
                    self._take(found)
            except Unreadable as error:
                whole = False
                for problem in error.problems:
                    self.problems.add(problem)
        if not whole:
            self.problems.check()

    def _take(self, found: Row | Problem) -> None:
        if isinstance(found, Problem):
            self.problems.add(found)
            return
        good, bad = parsed(KINDS[found.kind], found.fields)
        for where, message in bad:
            self.problems.add(found.problem(where, message))
        cursor = self._database.execute(
            "INSERT INTO rows (kind, id, file, line, fields, waiting) VALUES (?, ?, ?, ?, ?, ?)",
            (found.kind, good.get("id", ""), found.file, found.line, kept(good), not bad),
        )
        number = int(cursor.lastrowid or 0)
        # A row that is wrong claims its names, too: who refers to it is right.
        if "id" in good:
            self._claim_own(found, found.kind, "id", good["id"], number)
        if found.kind == "users" and "username" in good:
            canonical = canonical_name(good["username"])
            self._claim_own(found, "usernames", "username", canonical, number)

    def _claim_own(self, row: Row, what: str, where: str, key: str, number: int) -> None:
        first = self.claim(what, key, number)
        if first:
            alike = "the same name, or one that looks like it," if what == "usernames" else "it"
            self.problems.add(row.problem(where, f"{alike} stands at {first} already"))

    def claim(self, what: str, key: str, number: int) -> str:
        """Claim a key for a row; give the place of another row that has it, or nothing."""
        added = self._database.execute(
            "INSERT INTO claims VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (what, key, number)
        )
        if added.rowcount:
            return ""
        place = "SELECT number, file, line FROM claims JOIN rows ON row = number"
        found = self._database.execute(f"{place} WHERE what = ? AND key = ?", (what, key))
        holder, file, line = found.fetchone()
        return "" if holder == number else f"{file}:{line}"

    def claimed(self, what: str, key: str) -> str | None:
        """Give the id of the row that claimed a key; None if none did."""
        sql = "SELECT id FROM claims JOIN rows ON row = number WHERE what = ? AND key = ?"
        found = self._database.execute(sql, (what, key)).fetchone()
        return found[0] if found else None

    def waiting(self, kind: str) -> Iterator[list[Staged]]:
        """Give the rows of a kind that are to be stored, some at a time."""
        sql = (
            "SELECT number, file, line, fields FROM rows"
            " WHERE waiting AND kind = ? AND number > ? ORDER BY number LIMIT ?"
        )
        last = 0
        while page := self._database.execute(sql, (kind, last, CHUNK)).fetchall():
            last = page[-1][0]
            yield [_staged(kind, *values) for values in page]

    def has(self, kind: str) -> bool:
        """Whether rows of a kind were read."""
        found = self._database.execute("SELECT 1 FROM rows WHERE kind = ? LIMIT 1", (kind,))
        return found.fetchone() is not None

    def count(self) -> int:
        """How many rows are to be stored."""
        (number,) = self._database.execute("SELECT count(*) FROM rows WHERE waiting").fetchone()
        return int(number)

    def drop(self, staged: Iterable[Staged]) -> None:
        """Take rows out of those that are to be stored; what they claimed stays theirs."""
        numbers = ((one.number,) for one in staged)
        self._database.executemany("UPDATE rows SET waiting = 0 WHERE number = ?", numbers)


def _staged(kind: str, number: int, file: str, line: int, fields: str) -> Staged:
    found = restored(KINDS[kind], fields)
    return Staged(number, Row(kind, file, line, found))
